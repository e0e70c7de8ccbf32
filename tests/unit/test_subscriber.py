"""Addresses, links and lists of people."""

from __future__ import annotations

import csv
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.lists import EXPORTED, BadRow, Row, read_csv, write_csv
from syndicate.signer import Signer
from syndicate.subscriber import State, clean_name, parse_address

SIGNER = Signer(b"0123456789abcdef0123456789abcdef")


def read(*lines: str) -> list[Row | BadRow]:
    return list(read_csv(f"{line}\n" for line in lines))


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


# --- lists in ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "row", "name", "tags", "state"),
    [
        ("email,name,tags,state", 'a@x.org,Ann,"one, two",active', "Ann", ("one", "two"), State.ACTIVE),
        ("email", "a@x.org", "", (), None),
        ("Email Address,First Name,Last Name,TAGS", 'a@x.org,Ann,Lee,"""vip"""', "Ann Lee", ("vip",), None),
        ("Email Address,First Name,UNSUB_TIME", "a@x.org,Ann,2025-01-02 03:04:05", "Ann", (), State.UNSUBSCRIBED),
        ("Email Address,CLEAN_TIME,CLEAN_CAMPAIGN_TITLE", "a@x.org,2025-01-02 03:04:05,May", "", (), State.BOUNCED),
        ("id,email,name,note,subscribed_to_emails,complimentary_plan,labels", "1,a@x.org,Ann,,true,false,vip", "Ann",
         ("vip",), State.ACTIVE),
        ("id,email,name,subscribed_to_emails", "1,a@x.org,Ann,false", "Ann", (), State.UNSUBSCRIBED),
        ("uuid,email,name,attributes,status", 'u,a@x.org,Ann,"{""a"": 1}",enabled', "Ann", (), State.ACTIVE),
        ("uuid,email,name,attributes,status", "u,a@x.org,Ann,{},blocklisted", "Ann", (), State.UNSUBSCRIBED),
        ("email,active_subscription,email_disabled", "a@x.org,true,true", "", (), State.UNSUBSCRIBED),
        ("email,active_subscription,email_disabled", "a@x.org,false,false", "", (), State.ACTIVE),
        ("email_address,type,tags,notes", "a@x.org,regular,vip,", "", ("vip",), State.ACTIVE),
        ("email_address,type", "a@x.org,unactivated", "", (), State.PENDING),
        ("email;name;state", "a@x.org;Ann;Complained", "Ann", (), State.COMPLAINED),
        ("email\tname", "a@x.org\tAnn", "Ann", (), None),
        ("\ufeffE-Mail,Name", "a@x.org,Ann", "Ann", (), None),
    ],
)  # fmt: skip
def test_the_lists_of_other_tools_are_understood(
    header: str, row: str, name: str, tags: tuple[str, ...], state: State | None
) -> None:
    (found,) = read(header, row)
    assert isinstance(found, Row)
    assert (found.address.email, found.name, found.tags, found.state) == ("a@x.org", name, tags, state)
    assert found.line == 2


def test_a_list_that_contradicts_itself_wins_nobody_back() -> None:
    (found,) = read("email,status,unsubscribed_at", "a@x.org,subscribed,2025-01-01")
    assert isinstance(found, Row)
    assert found.state is State.UNSUBSCRIBED


def test_bad_rows_are_named_with_their_line_and_cost_nobody_else_anything() -> None:
    found = read(
        "email,name,state",
        "good@x.org,Ann,",
        "bad",
        "",
        "nul@x.org,A\0B,",
        "odd@x.org,Ann,mystery",
        "many@x.org,Lee, Ann,active",
        'open@x.org,"Ann',
        'shut@x.org,Ann",',
        "last@x.org,,",
    )
    assert [row.address.email for row in found if isinstance(row, Row)] == ["good@x.org", "last@x.org"]
    bad = {row.line: row.reason for row in found if isinstance(row, BadRow)}
    assert set(bad) == {3, 5, 6, 7, 8}
    assert "no mail address" in bad[3]
    assert "NUL" in bad[5]
    assert "mystery" in bad[6]
    assert "4 fields" in bad[7]
    assert "line 9" in bad[8]


def test_a_quote_that_is_never_closed_does_not_eat_the_memory() -> None:
    def lines() -> Iterable[str]:
        yield "email,name\n"
        yield 'a@x.org,"open\n'
        for n in range(20_000):
            yield f"p{n}@x.org,\n"

    found = list(read_csv(lines()))
    assert isinstance(found[0], BadRow)
    assert found[0].line == 2
    assert "up to line" in found[0].reason
    assert sum(isinstance(row, Row) for row in found) > 5_000


@pytest.mark.parametrize("lines", [[], ["\n"], ["name,city\n", "Ann,Bergen\n"], ["ann@x.org\n"]])
def test_a_list_without_a_column_of_addresses_is_refused(lines: list[str]) -> None:
    with pytest.raises(ValueError, match="email"):
        list(read_csv(lines))


def test_reading_is_lazy() -> None:
    def endless() -> Iterable[str]:
        yield "email\n"
        while True:
            yield "a@x.org\n"

    assert isinstance(next(read_csv(endless())), Row)


# --- lists out -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
def test_no_cell_is_run_by_a_spreadsheet(cell: str) -> None:
    _, line = write_csv([{"email": "a@x.org", "name": cell}])
    assert next(csv.reader([line]))[1] == "'" + cell


def test_what_was_exported_is_read_back() -> None:
    people = [
        {"email": "=ann@x.org", "name": "Lee, Ann", "state": State.ACTIVE, "tags": ["a", "b"], "digests": ["weekly"]},
        {"email": "bob@x.org", "name": None, "state": State.BOUNCED, "reason": '550 "no"\nsuch user'},
    ]
    lines = list(write_csv(people))
    assert next(csv.reader(lines)) == list(EXPORTED)
    rows = list(read_csv("".join(lines).splitlines(keepends=True)))
    assert all(isinstance(row, Row) for row in rows)
    assert [(r.address.email, r.name, r.state, r.tags) for r in rows if isinstance(r, Row)] == [
        ("=ann@x.org", "Lee, Ann", State.ACTIVE, ("a", "b")),
        ("bob@x.org", "", State.BOUNCED, ()),
    ]
