"""What a mail server's answers mean, line by line: for the person, for the channel, for our connections."""

from __future__ import annotations

import pytest

from syndicate.transports.base import Fate, Verdict
from syndicate.transports.verdicts import HARD, OURS, SOFT, is_crowded, judge
from syndicate.transports.wire import Reply

REJECTED, BLAMED, DEFERRED, CHANNEL = Fate.REJECTED, Fate.BLAMED, Fate.DEFERRED, Fate.CHANNEL


def judged(answer: str, *, after_data: bool = False) -> Verdict:
    return judge(1, Reply(int(answer[:3]), (answer[4:],)), after_data=after_data)


@pytest.mark.parametrize("after_data", [False, True])
@pytest.mark.parametrize(
    ("answer", "fate", "person"),
    [
        # nobody there
        ("550 5.1.1 no such user", REJECTED, HARD),
        ("550 5.1.2 no such domain", REJECTED, HARD),
        ("553 5.1.3 bad syntax", REJECTED, HARD),
        ("551 5.1.6 has moved", REJECTED, HARD),
        ("556 5.1.10 takes no mail", REJECTED, HARD),
        ("550 5.2.1 the account is disabled", REJECTED, HARD),
        ("554 5.1.1 this user does not have an account", REJECTED, HARD),
        ("556 domain takes no mail", REJECTED, HARD),
        # could not be reached this time
        ("552 5.2.2 mailbox full", REJECTED, SOFT),
        ("552 mailbox full", REJECTED, SOFT),
        ("550 5.2.0 some trouble of the mailbox", REJECTED, SOFT),
        ("550 5.1.0 address rejected", REJECTED, SOFT),
        ("550 5.4.1 no answer from its host", REJECTED, SOFT),
        ("550 5.4.4 unable to route", REJECTED, SOFT),
        ("450 4.2.1 receiving too fast", DEFERRED, SOFT),
        ("452 4.2.2 mailbox full", DEFERRED, SOFT),
        ("450 4.1.1 unverified", DEFERRED, SOFT),
        ("450 5.1.1 at odds: the basic code decides whether to try again", DEFERRED, SOFT),
        ("550 4.1.1 at odds: not tried again, and not for ever", REJECTED, SOFT),
        ("550 4.2.2 at odds: not tried again", REJECTED, SOFT),
        ("450 try later", DEFERRED, SOFT),
        ("452 no room", DEFERRED, SOFT),
        ("451 4.4.1 no answer from its host", DEFERRED, SOFT),
        # about the pace, the server, or the letter: nothing of the person
        ("421 4.7.28 unusual rate", DEFERRED, ""),
        ("421 4.7.0 suspicious", DEFERRED, ""),
        ("451 4.7.1 greylisted", DEFERRED, ""),
        ("451 4.7.652 too many connections", DEFERRED, ""),
        ("451 4.3.0 disk", DEFERRED, ""),
        ("451 local error", DEFERRED, ""),
        ("421 shutting down", DEFERRED, ""),
        ("455 4.5.4 parameters not taken", DEFERRED, ""),
        ("550 5.2.3 too long for this mailbox", REJECTED, ""),
        ("553 5.6.7 needs SMTPUTF8", REJECTED, ""),
        # what we are or sent
        ("550 5.7.1 refused", BLAMED, ""),
        ("550 5.7.26 not authenticated", BLAMED, ""),
        ("550 5.7.515 access denied", BLAMED, ""),
        ("550 4.7.1 listed", BLAMED, ""),
        ("552 5.3.4 too big", BLAMED, ""),
        ("550 5.3.0 some trouble of the system", BLAMED, ""),
        ("554 5.6.0 malformed", BLAMED, ""),
        ("550 5.1.8 bad sender", BLAMED, ""),
        ("553 5.1.7 bad sender", BLAMED, ""),
        # our own commands
        ("501 5.5.4 bad parameter", REJECTED, OURS),
        ("503 5.5.1 bad sequence", REJECTED, OURS),
        ("501 bad syntax", REJECTED, OURS),
        ("555 parameter not known", REJECTED, OURS),
        # the channel
        ("535 5.7.8 bad password", CHANNEL, ""),
        ("550 5.7.14 log in with the browser", CHANNEL, ""),
        ("530 authentication required", CHANNEL, ""),
        ("550 5.4.5 daily limit", CHANNEL, ""),
        ("454 Throttling failure: Daily message quota exceeded.", CHANNEL, ""),
    ],
)
def test_an_answer_means_the_same_wherever_it_comes(answer: str, fate: Fate, person: str, after_data: bool) -> None:
    verdict = judged(answer, after_data=after_data)
    assert (verdict.fate, verdict.person) == (fate, person)


@pytest.mark.parametrize(
    ("answer", "to_rcpt", "to_content"),
    [
        ("550 no such user", (REJECTED, HARD), (REJECTED, "")),
        ("551 not local", (REJECTED, HARD), (REJECTED, "")),
        ("553 bad address", (REJECTED, HARD), (REJECTED, "")),
        ("554 no", (REJECTED, SOFT), (BLAMED, "")),
        ("521 takes no mail", (REJECTED, SOFT), (REJECTED, "")),
        ("550 5.0.0 vague", (REJECTED, SOFT), (REJECTED, "")),
        ("559 never heard of", (REJECTED, ""), (REJECTED, "")),
        # an unknown mailbox's code, and words of quite another thing
        ("550 relay not permitted", (BLAMED, ""), (REJECTED, "")),
        ("550 blocked using a list", (BLAMED, ""), (REJECTED, "")),
        ("553 sorry, that domain isn't in my list of allowed rcpthosts", (BLAMED, ""), (REJECTED, "")),
        ("550 SPF check failed", (BLAMED, ""), (REJECTED, "")),
    ],
)
def test_a_bare_code_means_what_it_answers_to(
    answer: str, to_rcpt: tuple[Fate, str], to_content: tuple[Fate, str]
) -> None:
    for after_data, expected in ((False, to_rcpt), (True, to_content)):
        verdict = judged(answer, after_data=after_data)
        assert (verdict.fate, verdict.person) == expected


@pytest.mark.parametrize(
    ("answer", "crowded"),
    [
        ("451 4.7.652 The mail server has exceeded the maximum number of connections. (S3115)", True),
        ("421 RP-001 temporarily rate limited (S3115)", True),
        ("421 4.7.0 Error: too many connections from 192.0.2.1", True),
        ("432 4.3.2 Concurrent connections limit exceeded", True),
        ("421 Too many concurrent SMTP connections; please try again later.", True),
        ("421 4.7.28 unusual rate", False),
        ("550 5.7.1 too many connections", False),  # that is for good
        ("451 4.7.1 greylisted", False),
    ],
)
def test_who_asks_for_fewer_connections_is_heard(answer: str, crowded: bool) -> None:
    assert is_crowded(judged(answer)) is crowded
