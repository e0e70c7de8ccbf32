"""What LinkedIn's answers mean: a receipt, or which of the three kinds of failure. Pure.

LinkedIn creates without an idempotency key, so 408 and all 5xx are doubt, 503 too. Some codes stand only inside
`message`, some bodies are HTML or empty: everything here is read with care and nothing in it is trusted.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, unquote

from syndicate.channels.base import Receipt
from syndicate.clock import Chance
from syndicate.errors import DeliveryError, InDoubt, Refused, Unavailable
from syndicate.fetch import Answer, retry_after

ANSWER_LIMIT = 500  # characters kept of what was said
UNLABELLED_PAUSE = timedelta(seconds=60)  # a 429 that names no day "clears itself"
MEDIA_PAUSE = timedelta(seconds=30)
_DUPLICATE_STATUS = (400, 409, 422)  # 422 today, 409 until 2020
_URN = re.compile(r"urn:li:[A-Za-z]+:[A-Za-z0-9_-]+")
_POST = re.compile(r"urn:li:(?:share|ugcPost|activity):[0-9]+")
_DUPLICATE = re.compile(rf"duplicate (?:of )?{_POST.pattern}", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """The body of an answer that is not a receipt, whatever its shape."""

    codes: frozenset[str]
    message: str
    shown: str  # one line, cut, the token masked

    @property
    def duplicate_of(self) -> str | None:
        """The post this one repeats: its URN, "" where only the code says so, None where it is no duplicate."""
        named = _POST.search(self.message) if "DUPLICATE_POST" in self.codes else _DUPLICATE.search(self.message)
        return named[0].split()[-1] if named else "" if "DUPLICATE_POST" in self.codes else None


def judge(answer: Answer, *, token: str, now: datetime, chance: Chance) -> Receipt:
    """Read the answer to a first send. Raises Refused, Unavailable or InDoubt."""
    if receipt := _receipt(answer, token):
        return receipt
    raise _failure(answer, read_complaint(answer, token), now, chance)


def judge_repeat(answer: Answer, *, token: str, now: datetime, chance: Chance) -> Receipt:
    """Read the answer to an identical repeat after a doubtful send: 201 means that the first never arrived.

    A duplicate's URN is adopted. A refusal of the repeat says nothing about the first: InDoubt. Unavailable means that
    the repeat was not accepted, and the first is as doubtful as before.
    """
    if receipt := _receipt(answer, token):
        return receipt
    complaint = read_complaint(answer, token)
    if answer.status in _DUPLICATE_STATUS and (urn := complaint.duplicate_of):
        return Receipt(external_id=urn, url=permalink(urn), status=answer.status, answer=complaint.shown)
    failure = _failure(answer, complaint, now, chance)
    if isinstance(failure, Refused):
        reason = f"the repeat was refused, which does not tell whether the first arrived: {failure.reason}"
        raise InDoubt(reason, status=failure.status, answer=failure.answer)
    raise failure


def judge_deletion(answer: Answer, *, token: str, now: datetime, chance: Chance) -> Receipt:
    """Read the answer to a deletion: 204, also to a repeated one; 404 in LinkedIn's words means gone as well.

    Raises Refused or Unavailable. It may be repeated as often as one likes, so there is no doubt to be in.
    """
    complaint = read_complaint(answer, token)
    gone = answer.status == 404 and bool(complaint.message or complaint.codes)
    if gone or answer.status in (200, 202, 204):
        return Receipt(status=answer.status, answer=complaint.shown)
    reason = f"LinkedIn answered {answer.status}" + (f": {complaint.message[:200]}" if complaint.message else "")
    if answer.status == 403:
        raise Refused(f"this token may not delete the post ({reason})", status=answer.status, answer=complaint.shown)
    failure = _failure(answer, complaint, now, chance)
    if isinstance(failure, InDoubt):
        raise Unavailable(reason, status=answer.status, answer=complaint.shown)
    raise failure


def post_in(text: str) -> str | None:
    """The URN of a post in an id or an address."""
    found = _POST.search(unquote(text))
    return found[0] if found else None


def permalink(urn: str) -> str:
    """Where people see a post."""
    return f"https://www.linkedin.com/feed/update/{quote(urn, safe=':')}/"


def read_complaint(answer: Answer, token: str = "") -> Complaint:
    """Read a body of any of LinkedIn's shapes, or of none."""
    text = masked(answer.text(), token)
    document = _json(text)
    details = document.get("errorDetails")
    inputs = details.get("inputErrors") if isinstance(details, dict) else None
    codes = [document.get("code"), *(item.get("code") for item in _dicts(inputs))]
    words = [document.get("message"), *(item.get("description") for item in _dicts(inputs))]
    message = " ".join(" ".join(word for word in words if isinstance(word, str)).split())
    trace = masked(answer.headers.get("x-li-uuid", ""), token)[:60]  # LinkedIn's support asks for it
    shown = " ".join((text if not trace else f"[x-li-uuid {trace}] {text}").split())
    return Complaint(
        codes=frozenset(code for code in codes if isinstance(code, str)),
        message=message,
        shown="".join(character for character in shown if character.isprintable())[:ANSWER_LIMIT],
    )


def masked(text: str, token: str) -> str:
    """`text` without the token."""
    return text.replace(token, "***") if token else text


def _receipt(answer: Answer, token: str) -> Receipt | None:
    if answer.status not in (200, 201):
        return None
    urn = unquote(answer.headers.get("x-restli-id", "")).strip()
    if not _URN.fullmatch(urn):
        if answer.status == 200 and not _json(answer.text()):
            return None  # some page or proxy said OK: not LinkedIn's way to say that a post was created
        return Receipt(status=answer.status, answer="created, but LinkedIn did not say under which id")
    return Receipt(external_id=urn, url=permalink(urn), status=answer.status)


def _failure(answer: Answer, complaint: Complaint, now: datetime, chance: Chance) -> DeliveryError:
    status, shown = answer.status, complaint.shown
    reason = f"LinkedIn answered {status}" + (f": {complaint.message[:200]}" if complaint.message else "")
    if pauses := _pauses(status, complaint):
        return Unavailable(reason, status=status, answer=shown, pauses=pauses)
    if status == 429:
        return Unavailable(reason, status=status, answer=shown, retry_after=_rest(answer, now, chance))
    if status < 300 or status == 408 or status >= 500:
        return InDoubt(f"{reason}; the post may be there or not", status=status, answer=shown)
    if status in _DUPLICATE_STATUS and (urn := complaint.duplicate_of) is not None:
        reason = f"already on LinkedIn{f' as {urn}' if urn else ''}, or blocked there as a repetition"
        return Refused(reason, status=status, answer=shown)
    if status == 400 and _is_processing(complaint):
        return Unavailable(reason, status=status, answer=shown, retry_after=MEDIA_PAUSE)
    return Refused(reason, status=status, answer=shown)


def _pauses(status: int, complaint: Complaint) -> str | None:
    """What a person must do before anything can be posted again, where the answer concerns the channel."""
    if status == 401:
        why = next(iter(sorted(code for code in complaint.codes if "TOKEN" in code or "MEMBER" in code)), "401")
        return f"LinkedIn does not take the token ({why}): set linkedin.access_token anew"
    if status == 426 or "VERSION_MISSING" in complaint.codes:
        return "LinkedIn has retired this version of its API: set linkedin.version to a later one (YYYYMM)"
    if status == 403 and "/author" in complaint.message:
        return (
            "the access token may not post as linkedin.author: set linkedin.author to the URN of the token's own member"
        )
    if status == 403:
        return (
            "LinkedIn does not let this token post: the app needs the product Share on LinkedIn (w_member_social), "
            "then set linkedin.access_token and linkedin.author"
        )
    if 300 <= status < 400:
        return "the address redirects elsewhere, and a token does not follow: correct linkedin.api_url"
    return None


def _rest(answer: Answer, now: datetime, chance: Chance) -> timedelta:
    """How long a quota rests: as told; to the next 00:00 UTC for a day's (both of its counters begin anew then)."""
    jitter = chance.random()
    if wish := retry_after(answer.headers, now):
        return wish + timedelta(seconds=10 * jitter)
    if re.search(r"\bDAY\b", answer.text()):
        now = now.astimezone(UTC)
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        return midnight - now + timedelta(minutes=10 * jitter)
    return UNLABELLED_PAUSE + timedelta(seconds=30 * jitter)


def _is_processing(complaint: Complaint) -> bool:
    words = f"{' '.join(complaint.codes)} {complaint.message}"
    return "MEDIA_ASSET_" in words and "FAILED" not in words


def _json(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _dicts(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
