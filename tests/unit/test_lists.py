"""Lists of people: five rivals', ours, and broken ones."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from syndicate.lists import EXPORTED, BadRow, Row, begin, write_csv
from syndicate.subscriber import State

FILES = Path(__file__).parent / "lists"  # written by us, after the columns that each tool documents
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MAY = datetime(2023, 5, 6, 7, 8, 9, tzinfo=UTC)

ACTIVE, PENDING, LEFT, DEAD = State.ACTIVE, State.PENDING, State.UNSUBSCRIBED, State.BOUNCED


def read(*lines: str) -> list[Row | BadRow]:
    return list(begin(f"{line}\n" for line in lines).rows)


# --- rivals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "tool", "states"),
    [
        ("subscribed_email_audience_export", "Mailchimp", {"ada": None, "bo": None}),
        ("unsubscribed_email_audience_export", "Mailchimp", {"cy": LEFT}),
        ("cleaned_email_audience_export", "Mailchimp", {"dee": DEAD}),
        ("ghost", "Ghost", {"ada": ACTIVE, "bo": LEFT, "cy": ACTIVE, "dee": LEFT}),
        ("listmonk", "listmonk", {"ada": ACTIVE, "bo": LEFT, "cy": LEFT}),
        ("substack", "Substack", {"ada": ACTIVE, "bo": ACTIVE, "cy": LEFT, "dee": LEFT}),
        ("substack_types", "Substack", {"ada": ACTIVE, "bo": ACTIVE, "cy": LEFT}),
        ("buttondown", "Buttondown", {
            "regular": ACTIVE, "premium": ACTIVE, "unpaid": ACTIVE, "pastdue": ACTIVE, "churning": ACTIVE,
            "gifted": ACTIVE, "trialed": ACTIVE, "paused": ACTIVE, "unactivated": PENDING, "unsubscribed": LEFT,
            "undeliverable": DEAD, "removed": LEFT, "blocked": LEFT, "spammy": LEFT,
        }),
    ],
)  # fmt: skip
def test_the_files_of_five_rivals_are_understood_with_their_states(
    file: str, tool: str, states: dict[str, State | None]
) -> None:
    with (FILES / f"{file}.csv").open(encoding="utf-8", newline="") as lines:
        found = begin(lines)
        rows = list(found.rows)
    assert found.tool == tool
    assert bool(found.remark) == (tool == "listmonk")
    assert {row.address.email.partition("@")[0]: row.state for row in rows if isinstance(row, Row)} == states
    bad = [row for row in rows if isinstance(row, BadRow)]
    assert [row.reason.partition(":")[0] for row in bad] == ["unknown state 'promoted'"] * (tool == "Buttondown")


@pytest.mark.parametrize(
    ("file", "agreed", "ip", "tags"),
    [
        ("subscribed_email_audience_export", datetime(2021, 3, 4, 6, tzinfo=UTC), "192.0.2.2", ("vip", "early bird")),
        ("ghost", MAY, "", ("vip", "de")),
        ("listmonk", MAY.replace(hour=5), "", ()),
        ("substack", MAY, "", ()),
        ("buttondown", MAY.replace(microsecond=123456), "198.51.100.7", ("vip", "de")),
    ],
)
def test_when_and_from_where_somebody_agreed_is_kept(
    file: str, agreed: datetime, ip: str, tags: tuple[str, ...]
) -> None:
    with (FILES / f"{file}.csv").open(encoding="utf-8", newline="") as lines:
        first = next(begin(lines).rows)
    assert isinstance(first, Row)
    assert (first.agreed, first.stated, first.ip, first.tags) == (agreed, "", ip, tags)


def test_a_date_that_is_not_understood_is_kept_as_it_stands_and_no_address_is_made_up() -> None:
    (found,) = read("email,created_at,ip_address", "a@x.org,5/6/23 7:08,not told")
    assert isinstance(found, Row)
    assert (found.agreed, found.stated, found.ip) == (None, "5/6/23 7:08", "")


@pytest.mark.parametrize(
    ("header", "word", "state"),
    [
        ("status", "paused", LEFT),  # of mail
        ("type", "paused", ACTIVE),  # of paying
        ("status", "Cancelled", LEFT),
        ("Subscription type", "Paid - yearly", ACTIVE),
        ("subscription_status", "unconfirmed", PENDING),
        ("status", "nonsubscribed", PENDING),
        ("status", "Complained", State.COMPLAINED),
    ],
)
def test_a_word_means_what_its_column_is_about(header: str, word: str, state: State) -> None:
    (found,) = read(f"email,{header}", f"a@x.org,{word}")
    assert isinstance(found, Row)
    assert found.state is state


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

    found = list(begin(lines()).rows)
    assert isinstance(found[0], BadRow)
    assert found[0].line == 2
    assert "up to line" in found[0].reason
    assert sum(isinstance(row, Row) for row in found) > 5_000


@pytest.mark.parametrize("lines", [[], ["\n"], ["name,city\n", "Ann,Bergen\n"], ["ann@x.org\n"]])
def test_a_list_without_a_column_of_addresses_is_refused(lines: list[str]) -> None:
    with pytest.raises(ValueError, match="email"):
        begin(lines)


def test_reading_is_lazy() -> None:
    def endless() -> Iterable[str]:
        yield "email\n"
        while True:
            yield "a@x.org\n"

    assert isinstance(next(begin(endless()).rows), Row)


# --- lists out -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
def test_no_cell_is_run_by_a_spreadsheet(cell: str) -> None:
    _, line = write_csv([{"email": "a@x.org", "name": cell}])
    assert next(csv.reader([line]))[1] == "'" + cell


def test_what_was_exported_is_read_back() -> None:
    people: list[dict[str, object]] = [
        {
            "email": "=ann@x.org",
            "name": "Lee, Ann",
            "state": State.ACTIVE,
            "tags": ["a", "b"],
            "since": NOON,
            "digests": ["daily", "weekly"],
            "paused_until": NOON,
        },
        {"email": "bob@x.org", "name": None, "state": State.BOUNCED, "reason": '550 "no"\nsuch user'},
    ]
    lines = list(write_csv(people))
    assert next(csv.reader(lines)) == list(EXPORTED)
    rows = list(begin("".join(lines).splitlines(keepends=True)).rows)
    assert all(isinstance(row, Row) for row in rows)
    assert [(r.address.email, r.name, r.state, r.tags) for r in rows if isinstance(r, Row)] == [
        ("=ann@x.org", "Lee, Ann", State.ACTIVE, ("a", "b")),
        ("bob@x.org", "", State.BOUNCED, ()),
    ]
    assert [(r.digests, r.rest, r.agreed) for r in rows if isinstance(r, Row)] == [
        (("daily", "weekly"), NOON, NOON),
        ((), None, None),
    ]
