"""Addresses, names and links."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.signer import Signer
from syndicate.subscriber import _PLAIN, _parse_any, clean_name, parse_address

SIGNER = Signer(b"0123456789abcdef0123456789abcdef")


# --- addresses -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "email", "key"),
    [
        (" Ann@Example.ORG ", "Ann@example.org", "ann@example.org"),
        ("a+tag@example.org", "a+tag@example.org", "a+tag@example.org"),
        ("x@Bücher.example", "x@xn--bcher-kva.example", "x@xn--bcher-kva.example"),
        ("Jürgen@example.org", "Jürgen@example.org", "jürgen@example.org"),
        ("a@rehearsal.test", "a@rehearsal.test", "a@rehearsal.test"),
        ("a@sub.INVALID", "a@sub.invalid", "a@sub.invalid"),
        ("root@localhost", "root@localhost", "root@localhost"),
    ],
)
def test_an_address_is_sent_to_as_given_and_compared_without_case(text: str, email: str, key: str) -> None:
    address = parse_address(text)
    assert (address.email, address.key) == (email, key)
    assert address.domain == email.rpartition("@")[2]
    assert parse_address(address.email) == address


def test_the_same_person_is_recognised_in_either_spelling_of_the_domain() -> None:
    assert parse_address("Ann@BÜCHER.example").key == parse_address("ann@xn--bcher-kva.example").key


@pytest.mark.parametrize(
    "text",
    [
        "", "   ", "ann", "ann@", "@example.org", "a@b", "a b@example.org", "a@example.org\r\nBcc: b@example.org",
        "a\x00@example.org", "Ann <ann@example.org>", "a@example.org, b@example.org", '"a b"@example.org',
        "a@[127.0.0.1]", "a..b@example.org", "a>@example.org", "x" * 65 + "@example.org", "a@" + "b" * 64 + ".org",
        "a@" + "b." * 126 + "org", "a@exa_mple.org", "a\u202eb@example.org",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="no mail address"):
        parse_address(text)


@given(st.text(max_size=60))
def test_an_accepted_address_is_safe_wherever_it_goes(text: str) -> None:
    try:
        address = parse_address(text)
    except ValueError:
        return
    assert address.email.isprintable()
    assert not set(address.email) & set('<>"(),:;\\ \r\n\0')
    assert address.domain.isascii()
    assert parse_address(address.email).key == address.key


_ATOM = st.text("aZ09+!#'-_", min_size=1, max_size=4)
_LABEL = st.text("aZ9-xn", min_size=1, max_size=5) | st.sampled_from(["x" * 63, "x" * 64, "xn--bcher-kva", "ab--c"])
_TOP = st.sampled_from(["org", "ORG", "test", "onion", "arpa", "local", "9", "a", "o-g", "xn--p1ai", "museum"])
_LOCAL = st.lists(_ATOM, min_size=1, max_size=3).map(".".join) | st.sampled_from(["Info", "NEWS", "x" * 64, "x" * 65])


@given(_LOCAL, st.lists(_LABEL, min_size=1, max_size=5), _TOP)
def test_what_the_short_way_takes_the_long_way_takes_the_same(local: str, labels: list[str], top: str) -> None:
    text = f"{local}@{'.'.join(labels)}.{top}"
    found = _PLAIN.fullmatch(text)
    if found is None or len(found["local"]) > 64 or len(text) > 254:
        return
    assert parse_address(text) == _parse_any(text)


def test_most_addresses_go_the_short_way() -> None:
    assert all(_PLAIN.fullmatch(text) for text in ("a@x.org", "Ann.Lee+news@mail.example.co.uk", "o'hara@x-y.museum"))


# --- names ---------------------------------------------------------------------------------------------------------


def test_a_name_is_cleaned_and_an_advertisement_is_none() -> None:
    assert clean_name("  Ann\r\nBcc:\tx\0 ") == "Ann Bcc: x"
    assert clean_name("Win at https://spam.example") == ""
    assert clean_name("WWW.spam.example") == ""
    assert clean_name("x" * 500) == "x" * 100
    assert clean_name("Jürgen O'Hara") == "Jürgen O'Hara"


# --- links ---------------------------------------------------------------------------------------------------------


@given(st.integers(min_value=0, max_value=2**63 - 1))
def test_a_token_leads_back_to_its_person(subscriber: int) -> None:
    token = SIGNER.token("unsubscribe", subscriber)
    assert SIGNER.read("unsubscribe", token) == subscriber
    assert token == SIGNER.token("unsubscribe", subscriber)
    assert len(token) <= 32
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def test_a_token_opens_one_door_only() -> None:
    token = SIGNER.token("unsubscribe", 7)
    assert SIGNER.read("preferences", token) is None
    assert Signer(b"another secret of the right size").read("unsubscribe", token) is None


@given(position=st.integers(0, 22), letter=st.sampled_from("Aa0_-"))
def test_a_changed_token_is_nobodys(position: int, letter: str) -> None:
    token = SIGNER.token("unsubscribe", 7)
    changed = token[:position] + letter + token[position + 1 :]
    assert SIGNER.read("unsubscribe", changed) == (7 if changed == token else None)


@pytest.mark.parametrize("token", ["", "x", "x" * 23, "x" * 5000, "é" * 24, "a b" * 8, "=" * 24, "\0" * 24, "../" * 8])
def test_nonsense_is_nobodys(token: str) -> None:
    assert SIGNER.read("unsubscribe", token) is None


def test_a_token_has_one_spelling() -> None:
    token = SIGNER.token("unsubscribe", 7)
    spellings = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    assert [c for c in spellings if SIGNER.read("unsubscribe", token[:-1] + c) == 7] == [token[-1]]


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        Signer(b"short")
