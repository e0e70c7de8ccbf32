"""What a mail server's answer means: for the person or for the channel (rules 20 and 21). Pure."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping

from syndicate.transports.base import Envelope, Fate, Verdict
from syndicate.transports.wire import ANSWER_LIMIT, Reply

CREDENTIALS = {530, 534, 535, 538}  # RFC 4954 section 6
LOGIN_TODO = "check email.smtp.username and email.smtp.password"

_QUOTA = re.compile(r"(daily|per day|24.hours?)\b.{0,60}(quota|limit)|(quota|limit)\b.{0,40}\b(daily|per day)", re.I)
_PATH = re.compile(r"[^\s<>\x00-\x1f\x7f]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")


class Trouble(Exception):
    """Something that concerns the channel, and nobody in particular."""

    def __init__(self, answer: str, *, reply: Reply | None = None, pauses: str | None = None) -> None:
        super().__init__(answer)
        self.reply = reply
        self.pauses = pauses

    def verdict(self, letter: int) -> Verdict:
        """The verdict on the letter whose turn it was."""
        reply = self.reply
        return Verdict(
            letter=letter,
            fate=Fate.CHANNEL,
            code=reply.code if reply else None,
            status=reply.status if reply else "",
            answer=str(self)[:ANSWER_LIMIT],
            quota=bool(reply and is_quota(reply)),
            pauses=self.pauses,
        )


def mail_trouble(reply: Reply) -> Trouble:
    """A refused MAIL FROM."""
    todo = None
    if reply.code in CREDENTIALS:
        todo = LOGIN_TODO
    elif reply.code == 552 or reply.status == "5.3.4":
        todo = "the server finds the letter too big: lower max_articles of the digest"
    elif reply.code >= 500 and not is_quota(reply):
        todo = "the server refuses email.sender: check it, and that this login may send for it"
    return Trouble(f"{reply.code} {reply.text}", reply=reply, pauses=todo)


# --- from RCPT on: the table ------------------------------------------------------------------------------------------

HARD = "hard"  # there is nobody at this address, and there will not be
SOFT = "soft"  # he could not be reached this time; many in a row say that he is not there any more
OURS = "ours"  # a command or parameter of ours was not understood: says nothing of him

_Meaning = tuple[Fate, str]
_NOBODY, _NOT_NOW, _OUR_FAULT = (Fate.REJECTED, HARD), (Fate.REJECTED, SOFT), (Fate.REJECTED, OURS)
_NO, _BLAME = (Fate.REJECTED, ""), (Fate.BLAMED, "")

# What a permanent answer means, by its enhanced code without the class (RFC 3463, RFC 5248), the longest first: the
# whole, else the subject alone.
_BY_STATUS: Mapping[str, _Meaning] = {
    **dict.fromkeys(["1.1", "1.2", "1.3", "1.6", "1.10", "2.1"], _NOBODY),
    **dict.fromkeys(["1.7", "1.8"], _BLAME),  # the sender's address
    "1": _NOT_NOW,
    "2.3": _NO,  # too big for this mailbox
    "2": _NOT_NOW,  # full above all
    "3": _BLAME,
    "4": _NOT_NOW,  # no way there
    "5": _OUR_FAULT,
    "6.7": _NO,  # the address needs SMTPUTF8, which somebody on the way has not
    "6": _BLAME,
    "7": _BLAME,
}
_LOGIN = {"7.8", "7.9", "7.14"}  # credentials (RFC 4954 section 6), whatever the basic code
# The same by the basic code where there is no enhanced one, to RCPT and to the content.
_TO_RCPT: Mapping[int, _Meaning] = {
    **dict.fromkeys([550, 551, 553, 556], _NOBODY),  # 556: RFC 7504, a domain that takes no mail
    **dict.fromkeys([500, 501, 502, 503, 504, 555], _OUR_FAULT),
    **dict.fromkeys([521, 552, 554], _NOT_NOW),
}
_TO_CONTENT: Mapping[int, _Meaning] = {
    **dict.fromkeys([500, 501, 502, 503, 504, 555], _OUR_FAULT),
    552: _NOT_NOW,
    554: _BLAME,
    556: _NOBODY,
}
_PASSING = ("1", "2", "4")  # subjects of a temporary answer that tell of the mailbox or the way there
# Words of servers that refuse us, and say so with the codes of an unknown mailbox.
_POLICY = re.compile(
    r"spam|spf|dkim|dmarc|black|block|listed|\brbl\b|relay|rcpthosts|polic|reputation|denied|not permitted|authenticat"
    r"|sender",
    re.I,
)


def judge(letter: int, reply: Reply, *, after_data: bool) -> Verdict:
    """The verdict on an answer (4xx or 5xx) to RCPT, DATA or the final dot.

    The basic code decides whether to try again, the enhanced code (RFC 3463) whose fault it was.
    """
    pauses = None
    if reply.code in CREDENTIALS or (reply.code >= 500 and reply.status[2:] in _LOGIN):
        fate, person, pauses = Fate.CHANNEL, "", LOGIN_TODO
    elif is_quota(reply):
        fate, person = Fate.CHANNEL, ""
    elif reply.code < 500:
        fate, person = Fate.DEFERRED, _passing(reply)
    else:
        fate, person = _meaning(reply, after_data=after_data)
    return Verdict(
        letter=letter,
        fate=fate,
        code=reply.code,
        status=reply.status,
        answer=reply.text,
        quota=fate is Fate.CHANNEL and pauses is None,
        pauses=pauses,
        person=person,
    )


def _meaning(reply: Reply, *, after_data: bool) -> _Meaning:
    """What a permanent answer means."""
    told = reply.status[2:]
    subject = told.partition(".")[0]
    known = _BY_STATUS.get(told) or _BY_STATUS.get(subject)
    fate, person = known or (_TO_CONTENT if after_data else _TO_RCPT).get(reply.code, _NO)
    if person == HARD and known and reply.status[0] == "4":
        return fate, SOFT  # the two codes are at odds about how lasting it is
    if person == HARD and not known:
        if _POLICY.search(reply.text):
            return _BLAME
        return fate, SOFT if subject else HARD  # 5.0.0 says only that it says nothing
    return fate, person


def _passing(reply: Reply) -> str:
    """What a temporary answer tells of the person, should it be the last: nothing where it is about our pace."""
    subject = reply.status[2:].partition(".")[0]
    if subject and subject != "0":
        return SOFT if subject in _PASSING else ""
    return SOFT if reply.code in (450, 452) else ""


_CROWDED = re.compile(
    r"\bS3115\b|too many (concurrent )?(smtp )?(connections|sessions)|concurrent connections? limit", re.I
)


def is_crowded(verdict: Verdict) -> bool:
    """Whether a server wants fewer connections from us at once: Microsoft's 4.7.652 and S3115, the words of others."""
    if verdict.code is None or not 400 <= verdict.code < 500:
        return False
    return verdict.status == "4.7.652" or bool(_CROWDED.search(verdict.answer))


def is_quota(reply: Reply) -> bool:
    """Whether this account may send no more today: Gmail's 5.4.5, the words of others; never a mailbox's own limit."""
    if reply.code < 400 or reply.status[2:4] in ("1.", "2."):
        return False
    return reply.status == "5.4.5" or bool(_QUOTA.search(reply.text))


def unspeakable(envelope: Envelope) -> Verdict | None:
    """Addresses that must not stand in a command, whoever let them through."""
    if envelope.sender and not _PATH.fullmatch(envelope.sender):
        raise Trouble(f"{envelope.sender!r} is no envelope sender", pauses="check email.sender")
    if not _PATH.fullmatch(envelope.recipient):
        words = "the address cannot stand in an SMTP command"
        return Verdict(letter=envelope.letter, fate=Fate.REJECTED, code=553, status="5.1.3", answer=words)
    return None


def tls_trouble(where: str, exc: ssl.SSLError) -> Trouble:
    if isinstance(exc, ssl.SSLCertVerificationError):
        return Trouble(
            f"{where}: its certificate is not good: {exc.verify_message}",
            pauses="check email.smtp.host, or name the certificate's issuer in email.smtp.ca_file",
        )
    return Trouble(f"{where}: no TLS: {exc.reason or exc}")
