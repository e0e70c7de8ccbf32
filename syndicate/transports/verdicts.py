"""What a mail server's answer means: for the person or for the channel (rules 20 and 21). Pure."""

from __future__ import annotations

import re
import ssl

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


def judge(letter: int, reply: Reply, *, after_data: bool) -> Verdict:
    """The verdict on an answer (4xx or 5xx) to RCPT, DATA or the final dot.

    The basic code decides whether to try again, the enhanced code (RFC 3463) whose fault it was.
    """
    pauses = None
    subject = reply.status[2:].partition(".")[0]
    if reply.code in CREDENTIALS:
        fate, pauses = Fate.CHANNEL, LOGIN_TODO
    elif is_quota(reply):
        fate = Fate.CHANNEL
    elif reply.code < 500:
        fate = Fate.DEFERRED
    elif subject in ("3", "6", "7") or (reply.code == 554 and after_data and not reply.status):
        fate = Fate.BLAMED
    else:
        fate = Fate.REJECTED
    return Verdict(
        letter=letter,
        fate=fate,
        code=reply.code,
        status=reply.status,
        answer=reply.text,
        quota=fate is Fate.CHANNEL and pauses is None,
        pauses=pauses,
    )


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
