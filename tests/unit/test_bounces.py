"""Mails that come back: what they say, whom they are about, and that nothing in them can do harm."""

from __future__ import annotations

import base64
import io
import time
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate import bounces
from syndicate.bounces import LARGEST, Report, Sort, messages
from syndicate.returning import kind_of
from syndicate.signer import ReturnPaths, Signer

SECRET = b"a secret of the tests"
TOKEN = Signer(SECRET).token("unsubscribe", 7)
LETTER = f"""\
From: News <news@example.net>
To: ada@example.org
Message-ID: <abcdefghijklmnopqrstuvwx@example.net>
List-Unsubscribe: <https://news.example.net/unsubscribe/{TOKEN}>
Subject: Weekly
"""


def dsn(*people: str, letter: str = LETTER, head: str = "", kind: str = "text/rfc822-headers") -> bytes:
    """A delivery report about `people`, each a block of fields."""
    blocks = "\n".join(f"\n{one}" for one in people)
    text = f"""\
Return-Path: <>
From: MAILER-DAEMON@mx.example.org (Mail Delivery System)
To: news@example.net
Message-ID: <report-1@mx.example.org>
Subject: Undelivered Mail Returned to Sender
{head}Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
 boundary="A=B/C"

This is a MIME-encapsulated message.

--A=B/C
Content-Type: text/plain; charset=us-ascii

I'm sorry to have to inform you that your message could not be delivered.

--A=B/C
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.org
Arrival-Date: Mon, 23 Nov 2026 12:00:00 +0000
{blocks}

--A=B/C
Content-Type: {kind}

{letter}
--A=B/C--
"""
    return text.encode()


def block(action: str = "failed", status: str = "5.1.1", diagnosis: str = "", to: str = "ada@example.org") -> str:
    said = f"Diagnostic-Code: {diagnosis}\n" if diagnosis else ""
    return f"Final-Recipient: rfc822; {to}\nAction: {action}\nStatus: {status}\n{said}"


def arf(kind: str = "abuse", fields: str = "", letter: str = LETTER) -> bytes:
    text = f"""\
From: feedback@isp.example
Subject: FW: Weekly
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary=xyz

--xyz
Content-Type: text/plain

This is an email abuse report.
--xyz
Content-Type: message/feedback-report

Feedback-Type: {kind}
User-Agent: SomeGenerator/1.0
Version: 1
{fields}
--xyz
Content-Type: message/rfc822
Content-Disposition: inline

{letter}
Text.
--xyz--
"""
    return text.encode()


def plain(text: str, **fields: str) -> bytes:
    head = {"From": "MAILER-DAEMON@example.org", "Subject": "failure notice"} | fields
    lines = "".join(f"{name.replace('_', '-')}: {value}\n" for name, value in head.items())
    return f"{lines}\n{text}".encode()


def only(raw: bytes) -> Report:
    (report,) = bounces.read(raw)
    return report


# --- what it says -----------------------------------------------------------------------------------------------------

CASES: Sequence[tuple[str, str, str, str]] = [
    ("failed", "5.1.1", "smtp; 550 5.1.1 <ada@example.org>: no such user", "hard"),
    ("failed", "5.1.10", "smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; not found by SMTP address lookup", "hard"),
    ("failed", "5.1.2", "X-Postfix; Host or domain name not found", "hard"),
    ("failed", "5.0.0", "smtp; 550 5.1.1 user unknown", "hard"),
    ("failed", "5.0.0", "smtp; 550 user unknown", "soft"),  # says nothing for certain: never guess hard
    ("failed", "5.0.0", "", "soft"),
    ("Failed (permanently)", "5.1.1", "", "passing"),  # not the word of RFC 3464 section 2.3.3
    ("failed", "5.2.2", "smtp; 552 5.2.2 mailbox full", "soft"),
    ("failed", "4.2.2", "smtp; 452 4.2.2 mailbox full", "soft"),
    ("failed", "4.4.7", "smtp; 400 4.4.7 message expired", "soft"),
    ("failed", "5.4.4", "X-Postfix; no route to host", "soft"),
    ("failed", "5.7.1", "smtp; 550 5.7.1 blocked by policy", "other"),
    ("failed", "5.7.26", "smtp; 550-5.7.26 unauthenticated sender", "other"),
    ("failed", "5.6.0", "smtp; 554 5.6.0 bad content", "other"),
    ("failed", "5.1.1", "smtp; 550 5.7.1 relaying denied", "hard"),  # the report's own status names the person
    ("delayed", "4.4.1", "smtp; connection timed out", "passing"),
    ("relayed", "2.1.9", "", "passing"),
    ("delivered", "2.0.0", "", "passing"),
    ("expanded", "2.0.0", "", "passing"),
]


@pytest.mark.parametrize(("action", "status", "diagnosis", "kind"), CASES)
def test_a_report_means_what_its_codes_say(action: str, status: str, diagnosis: str, kind: str) -> None:
    report = only(dsn(block(action, status, diagnosis)))
    assert (report.sort, report.provider) == (Sort.PASSING if kind == "passing" else Sort.FAILED, "dsn")
    if kind != "passing":
        assert kind_of(report) == kind


@pytest.mark.parametrize(
    ("kind", "sort"),
    [("abuse", Sort.COMPLAINT), ("fraud", Sort.COMPLAINT), ("virus", Sort.COMPLAINT), ("OTHER", Sort.COMPLAINT),
     ("not-spam", Sort.NO_COMPLAINT), ("auth-failure", Sort.NO_COMPLAINT), ("dmarc", Sort.NO_COMPLAINT),
     ("", Sort.UNKNOWN)],
)  # fmt: skip
def test_a_complaint_is_one_only_where_a_person_complained(kind: str, sort: Sort) -> None:
    report = only(arf(kind))
    assert (report.sort, report.provider) == (sort, "arf")


ANSWERS = [
    plain("I am away.", Auto_Submitted="auto-replied (vacation)", From="ada@example.org"),
    plain("I am away.", X_Autoreply="yes", From="ada@example.org"),
    plain("I am away.", From="ada@example.org", Subject="Out of Office: Weekly"),
    plain("Ich bin weg.", From="ada@example.org", Subject="=?utf-8?q?Automatische_Antwort=3A_Weekly?="),
]


@pytest.mark.parametrize("raw", ANSWERS)
def test_answers_of_machines_are_no_reports(raw: bytes) -> None:
    assert only(raw).sort is Sort.ANSWER


QMAIL = f"""Hi. This is the qmail-send program at mx.example.org.
I'm afraid I wasn't able to deliver your message to the following addresses.

<ada@example.org>:
Sorry, no mailbox here by that name. (#5.1.1)

--- Below this line is a copy of the message.

{LETTER}
Text with 2.0.0 in it.
"""
EXIM = f"""A message that you sent could not be delivered.

  ada@example.org
    SMTP error from remote mail server after RCPT TO:<ada@example.org>:
    host mx [192.0.2.1]: 550 5.1.1 unknown user

------ This is a copy of the message, including all the headers. ------

{LETTER}
"""


@pytest.mark.parametrize("text", [QMAIL, EXIM])
def test_old_kinds_of_reports_are_read_where_they_quote_a_code(text: str) -> None:
    report = only(plain(text, X_Failed_Recipients="ada@example.org"))
    assert (report.sort, report.status, kind_of(report)) == (Sort.FAILED, "5.1.1", "hard")
    assert report.marks.tokens == (TOKEN,)


@pytest.mark.parametrize(
    "raw",
    [
        plain(QMAIL, From="somebody@example.org"),  # a person wrote it
        plain("It did not work, sorry."),
        plain("Version 5.1.1 of our program is out."),
        b"",
        b"\n\n\n",
        b"\xff\xfe\x00" * 1000,
        b"Content-Type: multipart/report; boundary=x\n\n--x\nContent-Type: message/delivery-status\n\n--x--\n",
        b"Content-Type: multipart/report; boundary=\"\"\n\n--\n",
        b"Content-Type: multipart/mixed; boundary*0=x; boundary*99999999999999999999=y\n\n--x\n\n--x--",
    ],
)  # fmt: skip
def test_what_is_not_recognised_is_never_guessed_at(raw: bytes) -> None:
    assert {one.sort for one in bounces.read(raw)} == {Sort.UNKNOWN}


# --- whom it is about -------------------------------------------------------------------------------------------------


def test_marks_are_found_in_the_letter_that_came_back() -> None:
    for kind in ("text/rfc822-headers", "message/rfc822", "message/global-headers"):
        marks = only(dsn(block(), kind=kind)).marks
        assert marks.tokens == (TOKEN,)
        assert marks.message_ids == ("<abcdefghijklmnopqrstuvwx@example.net>",)
        assert marks.addresses == ("ada@example.org",)


def test_the_original_recipient_goes_before_the_final_one() -> None:
    told = f"Original-Recipient: rfc822;ada@example.org\n{block(to='ada@forward.example')}"
    assert only(dsn(told)).marks.addresses == ("ada@example.org", "ada@forward.example")


def test_a_folded_link_is_found_and_parts_may_be_encoded() -> None:
    folded = LETTER.replace("List-Unsubscribe: <", "List-Unsubscribe:\n <")
    assert only(dsn(block(), letter=folded)).marks.tokens == (TOKEN,)
    kind = b"message/delivery-status\n"
    encoded = dsn(block()).replace(kind, kind + b"Content-Transfer-Encoding: base64\n")
    begin, end = encoded.index(b"Reporting-MTA"), encoded.index(b"\n--A=B/C\nContent-Type: text/rfc822")
    told = base64.encodebytes(encoded[begin:end])
    assert only(encoded[:begin] + told + encoded[end:]).status == "5.1.1"


def test_each_person_of_a_report_has_his_own() -> None:
    reports = bounces.read(dsn(block(to="a@example.org"), block("delayed", "4.4.1", to="b@example.org")))
    assert [(one.marks.addresses[0], one.sort) for one in reports] == [
        ("a@example.org", Sort.FAILED), ("b@example.org", Sort.PASSING)
    ]  # fmt: skip
    assert len({one.event for one in reports}) == 2


@pytest.mark.parametrize(
    "raw",
    [
        dsn(block(), head="Delivered-To: {path}\n", letter=""),
        dsn(block(), head="X-Original-To: <{path}>\n", letter=""),
        dsn(block(), letter="Return-Path: <{path}>\n"),
        arf(fields="Original-Mail-From: <{path}>\n", letter=""),
        plain("550 5.1.1 nobody", To="{path}"),
    ],
)
def test_a_return_path_is_found_wherever_servers_put_it(raw: bytes) -> None:
    paths = ReturnPaths("bounce@news.example.net", SECRET)
    for path in (paths.of(12, 7), paths.of(12, 7).upper(), f"SRS0=ab=TT=news.example.net={paths.of(12, 7)}"):
        report = only(raw.replace(b"{path}", path.encode()))
        assert paths.read(report.marks.paths) == (12, 7)


def test_a_return_path_cannot_be_made_without_the_secret() -> None:
    paths, others = ReturnPaths("bounce@example.net", SECRET), ReturnPaths("bounce@example.net", SECRET + b"2")
    assert paths.read(others.of(12, 7)) is None
    whole = paths.of(12, 7)
    assert paths.read(whole.replace("12.7", "12.8")) is None
    assert paths.read(whole.replace("+12.", "+112.")) is None
    assert paths.read(f"{others.of(1, 1)} {whole}") == (12, 7)
    assert paths.read(" ".join([others.of(1, 1)] * 100_000)) is None
    assert len(ReturnPaths("b" * 24 + "@x", SECRET).of(10**9, 10**8).partition("@")[0]) <= 64


# --- once -------------------------------------------------------------------------------------------------------------


def test_the_same_report_by_another_way_is_the_same_and_a_forged_one_is_not() -> None:
    raw = dsn(block())
    assert only(raw).event == only(b"Received: from elsewhere\n" + raw).event
    assert only(raw).event != only(dsn(block(), letter="")).event
    assert only(plain("a")).event != only(plain("b")).event


# --- files ------------------------------------------------------------------------------------------------------------


def test_a_file_holds_one_mail_or_a_box_of_them() -> None:
    one, two = plain("first\n"), plain("From here on\n>From the quay\n")
    box = b"From MAILER-DAEMON Mon Nov 23 12:00:00 2026\n" + one + b"\nFrom x Mon Nov 23 12:00:01 2026\n" + two
    assert list(messages(io.BytesIO(one))) == [one]
    assert [mail.strip() for mail in messages(io.BytesIO(box))] == [
        one.strip(), two.strip().replace(b">From", b"From")
    ]  # fmt: skip
    assert list(messages(io.BytesIO(b""))) == list(messages(io.BytesIO(b" \n"))) == []
    assert list(messages(io.BytesIO(two))) == [two]  # no box: a line that begins with From is text


def test_what_is_too_long_is_cut_and_the_next_is_read() -> None:
    box = (
        b"From x\n" + b"a: b\n\n" + b"x" * (LARGEST + 100_000) + b"\n\nFrom y Mon Nov 23 12:00:01 2026\n" + dsn(block())
    )
    first, second = messages(io.BytesIO(box))
    assert len(first) <= LARGEST + 65_536
    assert only(second).status == "5.1.1"


# --- hostile ----------------------------------------------------------------------------------------------------------


def nested(depth: int) -> bytes:
    opened = b"".join(b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n' % (n, n) for n in range(depth))
    return opened + b"\nx" + b"".join(b"\n--b%d--" % n for n in reversed(range(depth)))


HOSTILE = [
    nested(3000),
    b'Content-Type: multipart/report; boundary="-"\n\n' + b"---\n" * 500_000,
    b"Content-Type: multipart/report; boundary=x\n\n" + b"--x\nContent-Type: message/rfc822\n\n" * 50_000,
    b"a: b\n" * 500_000,
    b"Subject: " + b"=?utf-8?q?" * 100_000 + b"\n\n",
    b"Subject: " + b"<" * 1_000_000 + b"\n\n" + b"a@" * 500_000,
    plain("5.1.1" * 400_000 + "<" * 400_000),
    dsn(*[block()] * 5000),
    dsn(block(diagnosis="smtp; " + "5" * 500_000)),
]


@pytest.mark.parametrize("raw", HOSTILE, ids=range(len(HOSTILE)))
def test_a_mail_made_to_hurt_costs_its_length_and_no_more(raw: bytes) -> None:
    begun = time.process_time()
    reports = bounces.read(raw)
    assert time.process_time() - begun < 5  # ten thousand times less than what a walk per line and depth would take
    assert 1 <= len(reports) <= bounces.MOST_PEOPLE
    assert all(len(one.words) <= 300 and one.words.isprintable() for one in reports)


@given(st.binary(max_size=300), st.sampled_from([dsn(block()), arf(), plain(QMAIL)]), st.integers(0, 2000))
def test_no_bytes_make_it_fail(junk: bytes, raw: bytes, at: int) -> None:
    for mail in (junk, raw[:at] + junk + raw[at:], raw[:at] + junk):
        for one in bounces.read(mail):
            assert kind_of(one) in ("hard", "soft", "complaint", "other")
