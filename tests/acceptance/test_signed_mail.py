"""A newsroom that signs its mail as a domain beyond ASCII: what readers' servers get, and what check says before."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Callable

import tests.acceptance.newsroom as make
from syndicate.dkim import Dkim
from tests.acceptance.conftest import MailServer
from tests.acceptance.newsroom import FIRST, WEEKLY, Newsroom
from tests.unit.test_dkim import holds, pem

Make = Callable[..., Newsroom]

SIGNING = {
    "sender": "Bücher <news@bücher.test>",
    "dkim": {"domain": "bücher.test", "selector": "S1", "key": {"file": "dkim.pem"}},
}


def test_letters_of_a_domain_beyond_ascii_are_signed_and_believed(newsroom: Make, mail_server: MailServer) -> None:
    site = newsroom(
        email=make.email(mail_server.port, **SIGNING), web={"public_url": "https://bücher.test/büro"}, **FIRST, **WEEKLY
    )
    (site.folder / "dkim.pem").write_text(pem("rsa"))
    site.write(1)
    assert "live, signed as xn--bcher-kva.test (s1)" in site.run("check").out
    site.run("subscribers", "add", "ann@readers.test", "jürgen@readers.test")
    site.run("digest", "weekly", "--yes")
    dkim = Dkim("xn--bcher-kva.test", "s1", pem("rsa"))
    assert [one["to"] for one in mail_server.world] == ["ann@readers.test", "jürgen@readers.test"]
    site.configure(email={"live": False})
    site.run("send", "001-walk", "--to", "email", "--test", "ann@readers.test")
    (rehearsed,) = site.outbox("email")
    for raw in (*(one["data"].encode("utf-8", "surrogateescape") for one in mail_server.world), rehearsed.read_bytes()):
        assert holds(raw, dkim)
        message = email.message_from_bytes(raw, policy=email.policy.default)
        assert message["List-Id"].endswith(".xn--bcher-kva.test>")
        assert message["List-Unsubscribe"].startswith("<https://xn--bcher-kva.test/b%C3%BCro/unsubscribe/")
        assert message["Message-ID"].endswith("@xn--bcher-kva.test>")


def test_a_key_that_cannot_sign_for_the_sender_stops_everything_before_it_begins(newsroom: Make) -> None:
    site = newsroom(email=SIGNING | {"sender": "News <news@other.example>"}, **FIRST, **WEEKLY)
    (site.folder / "dkim.pem").write_text(pem("ed25519"))
    for words in (["check"], ["run", "--once"], ["digest", "weekly", "--yes"]):
        assert "email.dkim.domain: a signature of xn--bcher-kva.test says nothing" in "".join(
            (done := site.run(*words, code=2)).out + done.err
        )
    site.configure(email={"sender": "News <news@mail.bücher.test>"})
    (site.folder / "dkim.pem").write_text("nonsense")
    assert "email.dkim.key: the key is no private key in PEM" in site.run("check", code=2).out
    (site.folder / "dkim.pem").write_text(pem("ed25519"))
    site.run("run", "--once")


def test_what_readers_would_object_to_is_told_before_it_is_sent(newsroom: Make) -> None:
    site = newsroom(email={}, **FIRST, **WEEKLY)
    site.write(1, title="Re: your order")
    site.run("run", "--once")
    said = "the subject begins like an answer ('Re: your o')"
    (noted,) = [line for line in site.run("check").out.splitlines() if said in line]
    assert noted.startswith("note     letter")
    assert [one["note"] for one in site.ask("check") if said in one["text"]] == [True]
    assert f"note: {said}" in site.run("preview", "--digest", "weekly").err
