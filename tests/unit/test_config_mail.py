"""What the configuration makes of names beyond ASCII: mail and its headers know A-labels only."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from syndicate.config import Settings, load
from syndicate.errors import ConfigError
from syndicate.letter import PREFERENCES, UNSUBSCRIBE, Person, Rendered, Stencil, compose, list_id, message_bytes


def loaded(tmp_path: Any, text: str) -> Settings:
    path = tmp_path / "syndicate.toml"
    path.write_text('[site]\ntitle = "T"\nurl = "https://t.test"\n[[sources]]\npath = "."\n' + text, encoding="utf-8")
    return load(path, {})


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("https://BÜCHER.example:8443/büro/", "https://xn--bcher-kva.example:8443/b%C3%BCro"),
        ("https://faß.example", "https://xn--fa-hia.example"),
        ("https://例え.example", "https://xn--r8jz45g.example"),
        ("https://a.example/it's&more", "https://a.example/it%27s%26more"),
        ("https://a.example/already%20done", "https://a.example/already%20done"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
    ],
)
def test_the_address_of_links_can_stand_in_every_header(tmp_path: Any, written: str, read: str) -> None:
    settings = loaded(tmp_path, f'[web]\npublic_url = "{written}"')
    assert settings.web.public_url == read
    frozen = compose(
        Rendered(subject="S", preheader="", html=UNSUBSCRIBE, text=f"{UNSUBSCRIBE} {PREFERENCES}"),
        sender="a@b.example", list_id="l.b.example", date=datetime(2026, 1, 1, tzinfo=UTC), slug="s",
    )  # fmt: skip
    link = f"{settings.web.public_url}/unsubscribe/token"
    person = Person(
        letter=1, subscriber=1, email="r@b.example", message_id="<m@b.example>", unsubscribe_url=link,
        preferences_url=f"{settings.web.public_url}/preferences/token",
    )  # fmt: skip
    assert f"List-Unsubscribe: <{link}>".encode() in message_bytes(Stencil(frozen, read).fill(person))


def test_a_sender_beyond_ascii_keeps_its_name_and_sends_as_its_a_label(tmp_path: Any) -> None:
    email = loaded(tmp_path, '[email]\nsender = "Bücher <news@Bücher.example>"').email
    assert email is not None
    assert email.sender == "Bücher <news@Bücher.example>"
    assert (email.sender_address, email.sender_domain) == ("news@xn--bcher-kva.example", "xn--bcher-kva.example")
    assert list_id("weekly", email.sender_domain) == "weekly.xn--bcher-kva.example"


def test_the_domain_of_a_signature_is_read_as_dns_knows_it(tmp_path: Any) -> None:
    text = '[email.dkim]\ndomain = "Bücher.Example."\nselector = "S2026"\nkey = "k"'
    email = loaded(tmp_path, text).email
    assert email is not None
    assert (email.dkim.domain, email.dkim.selector) == ("xn--bcher-kva.example", "s2026")


@pytest.mark.parametrize(
    ("text", "key", "says"),
    [
        ('[email]\nsender = "jürgen@news.example"', "email.sender", "many mail servers refuse"),
        ('[email]\nreply_to = "jürgen@news.example"', "email.reply_to", "many mail servers refuse"),
        ('[email]\nsender = "a@bü--cher-.example"', "email.sender", "no domain name"),
        ('[web]\npublic_url = "https://bü..cher.example"', "web.public_url", "no domain name"),
        ('[web]\npublic_url = "https://o\'hara.example"', "web.public_url", "is no host"),
        ('[email.dkim]\ndomain = "a b"\nselector = "s"\nkey = "k"', "email.dkim.domain", "not a name in DNS"),
        ('[email.dkim]\ndomain = "a.example"\nselector = "s;t"\nkey = "k"', "email.dkim.selector", "not a name in DNS"),
        ('[email.dkim]\ndomain = "a.example"\nkey = "k"', "email.dkim.selector", "is missing"),
        ('[email.dkim]\ndomain = "a.example"\nselector = "s"', "email.dkim.key", "is missing"),
    ],
)
def test_what_no_mail_server_would_take_is_refused_where_it_is_written(
    tmp_path: Any, text: str, key: str, says: str
) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        loaded(tmp_path, text)
    assert [problem.key for problem in caught.value.problems] == [key]


def test_an_alert_may_go_to_an_address_beyond_ascii(tmp_path: Any) -> None:
    assert loaded(tmp_path, '[alerts]\nemail = "jürgen@news.example"').alerts.email == "jürgen@news.example"
