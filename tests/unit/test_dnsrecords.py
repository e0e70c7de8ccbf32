"""Records in DNS, judged: what others would believe, and what to publish where they would not."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from syndicate import dnsrecords
from syndicate.dkim import Dkim
from syndicate.dnsrecords import Look, Record
from tests.unit.test_dkim import rsa_key, signer

Zone = Mapping[str, Sequence[str] | None]  # "name TYPE" -> texts; None: cannot be looked up


def look(zone: Zone) -> Look:
    def ask(name: str, kind: str) -> list[str] | None:
        found = zone.get(f"{name} {kind}", ())
        return None if found is None else list(found)

    return ask


def chain(length: int) -> dict[str, list[str]]:
    links = {f"n{number}.t TXT": [f"v=spf1 include:n{number + 1}.t -all"] for number in range(length)}
    return {**links, f"n{length}.t TXT": ["v=spf1 ip4:192.0.2.1 -all"]}


MANY_A = " ".join(f"a:h{number}.t" for number in range(8))
SPF = [
    ({"n0.t TXT": ["v=spf1 ip4:192.0.2.1 -all"]}, "ok", "0 of 10"),
    ({"n0.t TXT": ["hello", "v=spf1 mx -all"], "n0.t MX": ["10 mx.t."]}, "ok", "1 of 10"),
    ({"n0.t TXT": ["V=SPF1 A ~ALL"], "n0.t AAAA": ["::1"]}, "ok", "1 of 10"),
    ({"n0.t TXT": ["v=spf1 redirect=n1.t"], "n1.t TXT": ["v=spf1 -all"]}, "ok", "1 of 10"),
    ({"n0.t TXT": ["v=spf1 include:%{d}.t exists:%{i}.t exp=x.t -all"]}, "ok", "2 of 10"),
    ({"n0.t TXT": ["v=spf1 a/24 mx:m.t/24//64 -all"], "n0.t A": ["192.0.2.1"], "m.t MX": ["1 x."]}, "ok", "2 of 10"),
    ({"n0.t TXT": ["v=spf1 a:h.t/24 a:i.t a:j.t ip6:2001:db8::/32 -all"]}, "fail", "3 domains without"),
    (chain(10), "ok", "10 of 10"),
    (chain(11), "fail", "more than 10"),
    ({"n0.t TXT": ["v=spf1 include:n0.t -all"]}, "fail", "more than 10"),
    ({"n0.t TXT": ["v=spf1 redirect=n0.t"]}, "fail", "more than 10"),
    ({}, "fail", "publish a TXT record"),
    ({"n0.t TXT": ["v=spf10 -all"]}, "fail", "publish a TXT record"),
    ({"n0.t TXT": ["v=spf1 -all", "v=spf1 mx -all"]}, "fail", "make one of them"),
    ({"n0.t TXT": ["v=spf1 all"]}, "fail", "+all"),
    ({"n0.t TXT": ["v=spf1 +all"]}, "fail", "+all"),
    ({"n0.t TXT": ["v=spf1 ip4:192.0.2.1"]}, "warn", "-all"),
    ({"n0.t TXT": ["v=spf1 ?all"]}, "warn", "-all"),
    ({"n0.t TXT": ["v=spf1 ptr -all"]}, "warn", "ptr"),
    ({"n0.t TXT": ["v=spf1 ipv4:192.0.2.1 -all"]}, "fail", "nobody knows"),
    ({"n0.t TXT": ["v=spf1 include:gone.t -all"]}, "fail", "gone.t, which has no SPF"),
    ({"n0.t TXT": [f"v=spf1 {MANY_A} -all"]}, "fail", "8 domains without a record"),
    ({"n0.t TXT": None}, "unknown", "could not be looked up"),
    ({"n0.t TXT": ["v=spf1 include:slow.t -all"], "slow.t TXT": None}, "unknown", "slow.t could not"),
    ({"n0.t TXT": ["v=spf1 a:slow.t -all"], "slow.t A": None}, "unknown", "slow.t could not"),
]  # fmt: skip


@pytest.mark.parametrize(("zone", "level", "says"), SPF)
def test_spf(zone: Zone, level: str, says: str) -> None:
    judged(dnsrecords.spf("n0.t", look(zone)), "SPF", level, says)


def judged(record: Record, what: str, level: str, says: str) -> None:
    assert (record.what, record.level) == (what, level), record
    assert says in record.text


OURS = signer("rsa")
BARE = base64.b64encode(rsa_key().public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)).decode()
OTHER = signer("ed25519").public
DKIM = [
    ([OURS.record], "ok", "holds our key"),
    ([f"p={OURS.public}"], "ok", "holds our key"),
    ([f"v=DKIM1; k=RSA; t=s; h=sha256; s=*; n=a note; p={OURS.public[:60]} {OURS.public[60:]};"], "ok", "holds"),
    ([f"v=DKIM1; p={BARE}"], "ok", "holds our key"),
    ([OURS.record + "; t=y:s"], "warn", "t=y"),
    ([], "fail", f"publish a TXT record at s2026._domainkey.news.example.org: {OURS.record}"),
    (["v=DKIM1; k=rsa; p="], "fail", "revoked"),
    ([f"v=DKIM1; k=ed25519; p={OTHER}"], "fail", "another key"),
    ([f"v=DKIM1; k=rsa; p={OURS.public[:-8]}AAAAAAA="], "fail", "another key"),
    (["v=DKIM1; k=rsa; p=!!"], "fail", "another key"),
    ([f"v=DKIM2; p={OURS.public}"], "fail", "no key"),
    (["google-site-verification=x"], "fail", "no key"),
    ([f"{OURS.record}; h=sha1"], "fail", "sha256"),
    ([f"{OURS.record}; s=tlsrpt"], "fail", "sha256"),
    ([OURS.record, OURS.record], "fail", "2 records"),
    (None, "unknown", "could not be looked up"),
]  # fmt: skip


@pytest.mark.parametrize(("texts", "level", "says"), DKIM)
def test_dkim(texts: list[str] | None, level: str, says: str) -> None:
    judged(dnsrecords.dkim(OURS, look({f"{OURS.place} TXT": texts})), "DKIM", level, says)


def test_a_weak_or_rare_key_is_told_of() -> None:
    rare = signer("ed25519")
    judged(dnsrecords.dkim(rare, look({f"{rare.place} TXT": [rare.record]})), "DKIM", "warn", "Ed25519")
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import NoEncryption, PrivateFormat

    text = rsa.generate_private_key(65537, 1024).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    weak = Dkim("news.example.org", "s", text.decode())
    judged(dnsrecords.dkim(weak, look({f"{weak.place} TXT": [weak.record]})), "DKIM", "warn", "1024 bits")


GOOD = "v=DMARC1; p=none; rua=mailto:d@example.org"
DMARC = [
    # zone, From domain, signing domain, level, what is said
    ({"_dmarc.example.org TXT": [GOOD]}, "example.org", "", "ok", "p=none"),
    ({"_dmarc.example.org TXT": [GOOD]}, "news.example.org", "", "ok", "_dmarc.example.org says p=none"),
    ({"_dmarc.example.org TXT": [GOOD + "; sp=reject"]}, "news.example.org", "", "ok", "p=reject"),
    ({"_dmarc.example.org TXT": [GOOD]}, "news.example.org", "mail.example.org", "ok", "p=none"),
    ({"_dmarc.example.org TXT": [GOOD]}, "a.b.c.d.e.f.g.h.i.example.org", "example.org", "ok", "p=none"),
    ({"_dmarc.news.example.org TXT": [GOOD + "; adkim=r"], "_dmarc.example.org TXT": [GOOD]}, "news.example.org",
     "example.org", "ok", "_dmarc.news.example.org"),
    ({"_dmarc.news.example.org TXT": [GOOD + "; psd=n"], "_dmarc.example.org TXT": [GOOD]}, "news.example.org",
     "example.org", "fail", "does not count for news.example.org"),
    ({"_dmarc.co.uk TXT": [GOOD + "; psd=y"]}, "news.a.co.uk", "mail.a.co.uk", "ok", "p=none"),
    ({"_dmarc.co.uk TXT": [GOOD + "; psd=y"]}, "a.co.uk", "b.co.uk", "fail", "does not count for a.co.uk"),
    ({"_dmarc.example.org TXT": [GOOD + "; adkim=s"]}, "example.org", "mail.example.org", "fail", "adkim=s"),
    ({"_dmarc.example.org TXT": [GOOD]}, "example.org", "example.net", "fail", "does not count"),
    ({}, "example.org", "", "fail", "publish a TXT record at _dmarc.example.org"),
    ({"_dmarc.example.org TXT": ["v=DMARC12; p=none"]}, "example.org", "", "fail", "publish"),
    ({"_dmarc.example.org TXT": [GOOD, GOOD]}, "example.org", "", "fail", "publish"),
    ({"_dmarc.example.org TXT": ["v=DMARC1; p=none; pct=50; ri=1; rf=afrf; rua=mailto:a@b"]}, "example.org", "",
     "warn", "pct, rf, ri mean nothing"),
    ({"_dmarc.example.org TXT": ["v=DMARC1;p=none"]}, "example.org", "", "warn", "rua"),
    ({"_dmarc.example.org TXT": ["v=DMARC1; rua=mailto:a@b"]}, "example.org", "", "ok", "p=none"),
    ({"_dmarc.example.org TXT": ["v=DMARC1; p=monitor; rua=mailto:a@b"]}, "example.org", "", "warn", "no policy"),
    ({"_dmarc.example.org TXT": None}, "example.org", "", "unknown", "_dmarc.example.org"),
    ({"_dmarc.org TXT": None}, "news.example.org", "", "unknown", "_dmarc.org"),
]  # fmt: skip


@pytest.mark.parametrize(("zone", "sender", "signing", "level", "says"), DMARC)
def test_dmarc(zone: Zone, sender: str, signing: str, level: str, says: str) -> None:
    judged(dnsrecords.dmarc(sender, look(zone), spf_domain=sender, dkim_domain=signing), "DMARC", level, says)


def test_a_walk_up_the_tree_asks_eight_names_at_most() -> None:
    asked = []

    def ask(name: str, kind: str) -> list[str]:
        asked.append(name)
        return []

    dnsrecords.dmarc("a.b.c.d.e.f.g.h.i.j.k", ask, spf_domain="a.b.c.d.e.f.g.h.i.j.k")
    assert asked[:3] == ["_dmarc.a.b.c.d.e.f.g.h.i.j.k", "_dmarc.e.f.g.h.i.j.k", "_dmarc.f.g.h.i.j.k"]
    assert asked[-1] == "_dmarc.k"
    assert len(asked) == 8


MX = [
    ({"t.t MX": ["10 mx.t.t."]}, "ok", "mx.t.t"),
    ({"t.t A": ["192.0.2.1"]}, "ok", "own address"),
    ({"t.t AAAA": ["2001:db8::1"]}, "ok", "own address"),
    ({"t.t MX": ["0 ."]}, "warn", "RFC 7505"),
    ({}, "fail", "neither MX nor address"),
    ({"t.t MX": None}, "unknown", "could not"),
    ({"t.t A": None}, "unknown", "could not"),
]  # fmt: skip


@pytest.mark.parametrize(("zone", "level", "says"), MX)
def test_mx(zone: Zone, level: str, says: str) -> None:
    judged(dnsrecords.mx("t.t", look(zone)), "MX", level, says)


@given(st.lists(st.text(max_size=60).map(lambda text: f"v=spf1 {text}"), max_size=2), st.text(max_size=80))
def test_whatever_stands_in_dns_is_judged(texts: list[str], tail: str) -> None:
    hostile = look({"t.t TXT": texts, "_dmarc.t.t TXT": [f"v=DMARC1;{tail}"], f"{OURS.place} TXT": [f"v=DKIM1;{tail}"]})
    dnsrecords.spf("t.t", hostile)
    dnsrecords.dmarc("t.t", hostile, spf_domain="t.t", dkim_domain="x.t.t")
    dnsrecords.dkim(OURS, hostile)
