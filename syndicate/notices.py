"""What mail providers say of letters: Postmark's webhooks, and SES' events within Amazon's SNS. Pure: JSON in, reports
out, and the text over which SNS signs; never checks a signature, never asks anybody.

Fields are read as in Postmark's "Bounce webhook", "Spam complaint webhook" and "Subscription change webhook", and in
AWS' "Amazon SNS notification contents for Amazon SES".
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from syndicate.bounces import Marks, Report, Sort, marks_in, one_line

_POSTMARK = {  # a bounce's Type; those that are missing say nothing of the person, or that he may get it later
    "HardBounce": "hard",
    "BadEmailAddress": "hard",
    "SoftBounce": "soft",
    "DnsError": "soft",
    "Unknown": "soft",
    "SpamComplaint": "complaint",
    "Unsubscribe": "left",
}
_SUPPRESSED = {"HardBounce": "hard", "SpamComplaint": "complaint", "ManualSuppression": "left"}
_SES_OURS = ("MessageTooLarge", "ContentRejected", "AttachmentRejected")
_SES_FULL = ("MailboxFull",)
_NO_COMPLAINT = ("not-spam", "auth-failure")
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")

_HOST = re.compile(r"sns\.([a-z0-9-]{1,30})\.amazonaws\.com(?:\.cn)?")
_URL = re.compile(rf"https://(?P<host>{_HOST.pattern})(?P<path>/[A-Za-z0-9._/?=&%:+-]*)")
TOPIC = re.compile(r"arn:aws(?:-[a-z-]+)?:sns:([a-z0-9-]{1,30}):\d{12}:[A-Za-z0-9_.-]{1,256}")

_SIGNED = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_SIGNED_ASKING = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")


# --- SNS --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A message of SNS; all of it is what a stranger says until its signature was checked."""

    kind: str  # Notification | SubscriptionConfirmation | UnsubscribeConfirmation
    id: str
    topic: str
    message: str
    at: datetime
    signed: bytes  # what the signature is over
    signature: bytes
    digest: str  # "sha1" or "sha256"
    certificate_url: str
    subscribe_url: str


def envelope(raw: bytes) -> Envelope:
    """Read a message of SNS. Raise ValueError with a sentence for one that is none, or leads elsewhere than to Amazon.

    Where it would lead is held to the host `sns.REGION.amazonaws.com` in the topic's own region.
    """
    said = _object(raw)
    kind, topic = _text(said, "Type"), _text(said, "TopicArn")
    names = {"Notification": _SIGNED}.get(kind, _SIGNED_ASKING)
    if kind not in ("Notification", "SubscriptionConfirmation", "UnsubscribeConfirmation"):
        raise ValueError("this is no message of SNS; with raw message delivery switched on it bears no signature")
    digest = {"1": "sha1", "2": "sha256"}.get(_text(said, "SignatureVersion"))
    if digest is None:
        raise ValueError("its SignatureVersion is neither 1 nor 2")
    arn = TOPIC.fullmatch(topic)
    if arn is None:
        raise ValueError("its TopicArn names no topic")
    certificate, subscribe = _text(said, "SigningCertURL"), _text(said, "SubscribeURL")
    if not _leads_home(certificate, arn[1]) or not certificate.endswith(".pem"):
        raise ValueError("its certificate does not lie with Amazon")
    if kind != "Notification" and not _leads_home(subscribe, arn[1]):
        raise ValueError("its SubscribeURL does not lead to Amazon")
    lines = "".join(f"{name}\n{_text(said, name)}\n" for name in names if isinstance(said.get(name), str))
    try:
        signature = base64.b64decode(_text(said, "Signature"), validate=True)
        at = datetime.fromisoformat(_text(said, "Timestamp"))
    except ValueError:
        raise ValueError("its Signature or Timestamp cannot be read") from None
    return Envelope(
        kind=kind, id=_text(said, "MessageId")[:200], topic=topic, message=_text(said, "Message"),
        at=at if at.tzinfo else at.replace(tzinfo=UTC), signed=lines.encode("utf-8", "surrogatepass"),
        signature=signature, digest=digest, certificate_url=certificate, subscribe_url=subscribe,
    )  # fmt: skip


def _leads_home(url: str, region: str) -> bool:
    found = _URL.fullmatch(url)
    return found is not None and found[2] == region and ".." not in found["path"]


# --- SES --------------------------------------------------------------------------------------------------------------


def of_ses(envelope: Envelope) -> list[Report]:
    """What an event of SES says, of each person; nothing for those of a kind that ends nobody's mail."""
    try:
        said = _object(envelope.message.encode("utf-8", "surrogatepass"))
    except ValueError:
        return [_unknown("ses", envelope.id, "this is no event of SES")]
    mail = _table(said, "mail")
    kind = _text(said, "notificationType") or _text(said, "eventType")
    if kind == "Bounce":
        return list(_ses_bounces(_table(said, "bounce"), mail, envelope.id))
    if kind == "Complaint":
        return list(_ses_complaints(_table(said, "complaint"), mail, envelope.id))
    return [] if kind else [_unknown("ses", envelope.id, "this is no event of SES")]


def _ses_bounces(bounce: Mapping[str, Any], mail: Mapping[str, Any], number: str) -> Iterator[Report]:
    number = _text(bounce, "feedbackId") or number
    whole, part = _text(bounce, "bounceType"), _text(bounce, "bounceSubType")
    for index, one in enumerate(_tables(bounce, "bouncedRecipients")):
        status = _exact(_text(one, "status"), _text(one, "diagnosticCode"))
        kind = "other" if part in _SES_OURS else "soft"
        if whole == "Permanent" and kind == "soft" and part not in _SES_FULL:
            kind = "" if status else "hard"  # the code says more: a policy is no fault of the person's
        words = _text(one, "diagnosticCode") or f"{whole} {part}"
        yield Report(
            sort=Sort.FAILED, provider="ses", event=f"{number}:{index}"[:200], marks=_ses_marks(mail, one), kind=kind,
            code=550 if kind == "" else None, status=status, words=one_line(words), at=_moment(mail, "timestamp"),
        )  # fmt: skip


def _ses_complaints(complaint: Mapping[str, Any], mail: Mapping[str, Any], number: str) -> Iterator[Report]:
    number = _text(complaint, "feedbackId") or number
    how = _text(complaint, "complaintFeedbackType") or _text(complaint, "complaintSubType") or "abuse"
    for index, one in enumerate(_tables(complaint, "complainedRecipients")):
        yield Report(
            sort=Sort.COMPLAINT, provider="ses", event=f"{number}:{index}"[:200], marks=_ses_marks(mail, one),
            kind="other" if how in _NO_COMPLAINT else "complaint", words=one_line(f"reported as {how}"),
            at=_moment(mail, "timestamp"),
        )  # fmt: skip


def _ses_marks(mail: Mapping[str, Any], one: Mapping[str, Any]) -> Marks:
    """Our own headers are there only where the owner asked SES to repeat them."""
    headers = [f"{_text(header, 'name')}: {_text(header, 'value')}" for header in _tables(mail, "headers")]
    wanted = ("message-id:", "list-unsubscribe:")
    text = "\n".join(line for line in headers if line.lower().startswith(wanted))
    return marks_in(text, paths=_text(mail, "source"), addresses=[_text(one, "emailAddress")])


def _exact(*texts: str) -> str:
    """The first enhanced code that says anything."""
    found = (one for text in texts for one in _STATUS.findall(text) if not one.endswith(".0.0"))
    return next(found, "")


# --- Postmark ---------------------------------------------------------------------------------------------------------


def of_postmark(raw: bytes) -> list[Report]:
    """What a webhook of Postmark says; nothing for those of a kind that ends nobody's mail.

    Raise ValueError for what is no JSON object.
    """
    said = _object(raw)
    record, kind = _text(said, "RecordType"), _text(said, "Type")
    if record == "SubscriptionChange":
        return [_postmark_change(said)] if said.get("SuppressSending") is True else []
    if record not in ("Bounce", "SpamComplaint"):
        return []
    meaning = "complaint" if record == "SpamComplaint" else _POSTMARK.get(kind, "other")
    content = _text(said, "Content")  # the mail that came back, where the owner asked for it
    answer = f"{kind or record}: {_text(said, 'Details') or _text(said, 'Description')}"
    return [
        Report(
            sort=Sort.COMPLAINT if meaning == "complaint" else Sort.FAILED, provider="postmark",
            event=f"{record}:{said.get('ID') or _digest(raw)}"[:200], kind=meaning,
            marks=marks_in(content, addresses=[_text(said, "Email")]), status=_exact(_text(said, "Details")),
            words=one_line(answer), at=_moment(said, "BouncedAt"),
        )
    ]  # fmt: skip


def _postmark_change(said: Mapping[str, Any]) -> Report:
    """Somebody is on Postmark's own list now; whom its owner put there by hand stays with us."""
    why, origin = _text(said, "SuppressionReason"), _text(said, "Origin")
    kind = _SUPPRESSED.get(why, "other")
    if kind == "left" and origin != "Recipient":
        kind = "other"
    event = f"{_text(said, 'Recipient')}\n{_text(said, 'ChangedAt')}\n{_text(said, 'MessageID')}\n{why}"
    return Report(
        sort=Sort.COMPLAINT if kind == "complaint" else Sort.FAILED, provider="postmark",
        event=f"SubscriptionChange:{_digest(event.encode('utf-8', 'replace'))}", kind=kind,
        marks=Marks(addresses=(_text(said, "Recipient"),)), words=one_line(f"{why} ({origin})"),
        at=_moment(said, "ChangedAt"),
    )  # fmt: skip


# --- what JSON holds --------------------------------------------------------------------------------------------------


def _unknown(provider: str, number: str, words: str) -> Report:
    return Report(sort=Sort.UNKNOWN, provider=provider, event=number[:200], marks=Marks(), kind="other", words=words)


def _digest(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()[:40]


def _object(raw: bytes) -> Mapping[str, Any]:
    try:
        said = json.loads(raw)
    except (ValueError, RecursionError):
        raise ValueError("this is no JSON") from None
    if not isinstance(said, dict):
        raise ValueError("this is no JSON object")
    return said


def _text(said: Mapping[str, Any], name: str) -> str:
    value = said.get(name)
    return value if isinstance(value, str) else ""


def _table(said: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = said.get(name)
    return value if isinstance(value, dict) else {}


def _tables(said: Mapping[str, Any], name: str) -> Sequence[Mapping[str, Any]]:
    value = said.get(name)
    return [one for one in value if isinstance(one, dict)][:200] if isinstance(value, list) else []


def _moment(said: Mapping[str, Any], name: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(_text(said, name))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
