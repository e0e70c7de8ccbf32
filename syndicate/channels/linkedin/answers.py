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
from syndicate.errors import DeliveryError, InDoubt, PictureRefused, Refused, Unavailable
from syndicate.fetch import Answer, retry_after
from syndicate.prose import one_line

ANSWER_LIMIT = 500  # characters kept of what was said
UNLABELLED_PAUSE = timedelta(seconds=60)  # a 429 that names no day "clears itself"
MEDIA_PAUSE = timedelta(seconds=30)
FRESH_PAUSE = timedelta(seconds=5)  # a token just renewed is "revoked" for some seconds
RENEW = "set linkedin.access_token anew"
_DUPLICATE_STATUS = (400, 409, 422)  # 422 today, 409 until 2020
_URN = re.compile(r"urn:li:[A-Za-z]+:[A-Za-z0-9_-]+")
_POST = re.compile(r"urn:li:(?:share|ugcPost|activity):[0-9]+")
_DUPLICATE = re.compile(rf"duplicate (?:of )?{_POST.pattern}", re.IGNORECASE)
_DEAD_TOKENS = ("EXPIRED_ACCESS_TOKEN", "REVOKED_ACCESS_TOKEN", "INVALID_ACCESS_TOKEN", "EMPTY_ACCESS_TOKEN")
_BY_NUMBER = {65602: "EXPIRED_ACCESS_TOKEN", 65608: "RESTRICTED_MEMBER"}  # of the others the numbers are not agreed on
_PICTURE = re.compile(
    r"MEDIA_ASSET_\w*FAILED|INVALID_IMAGE_ID|assets? is not owned by the author|image resource is forbidden"
    r"|/content/article/thumbnail"
)
_CLASS = re.compile(r"^(?:[\w$]+\.)+\w*Exception: ")  # of Java, before the words for people


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """The body of an answer that is not a receipt, whatever its shape."""

    codes: frozenset[str]
    number: int  # LinkedIn's `serviceErrorCode`, 0 where there is none
    message: str
    shown: str  # one line, cut, the token masked

    @property
    def duplicate_of(self) -> str | None:
        """The post this one repeats: its URN, "" where only the code says so, None where it is no duplicate."""
        named = _POST.search(self.message) if "DUPLICATE_POST" in self.codes else _DUPLICATE.search(self.message)
        return named[0].split()[-1] if named else "" if "DUPLICATE_POST" in self.codes else None

    @property
    def words(self) -> str:
        """All that is said by code or in words."""
        return f"{' '.join(sorted(self.codes))} {self.message}"

    @property
    def short(self) -> str:
        """What people are told."""
        return _CLASS.sub("", self.message)[:200]


def judge(
    answer: Answer, *, token: str, now: datetime, chance: Chance, cure: str = RENEW, fresh: bool = False
) -> Receipt:
    """Read the answer to a first send. Raises Refused (PictureRefused: without it, at once), Unavailable or InDoubt.

    `cure` is what a person does about a dead token; `fresh`: it was renewed some seconds ago.
    """
    if receipt := _receipt(answer, token):
        return receipt
    raise _failure(answer, read_complaint(answer, token), now, chance, cure, fresh=fresh)


def judge_repeat(
    answer: Answer, *, token: str, now: datetime, chance: Chance, cure: str = RENEW, fresh: bool = False
) -> Receipt:
    """Read the answer to an identical repeat after a doubtful send: 201 means that the first never arrived.

    A duplicate's URN is adopted. A refusal of the repeat says nothing about the first: InDoubt; one of its picture
    neither, which may have gone bad since. Unavailable means that the repeat was not accepted, and the first is as
    doubtful as before.
    """
    if receipt := _receipt(answer, token):
        return receipt
    complaint = read_complaint(answer, token)
    if answer.status in _DUPLICATE_STATUS and (urn := complaint.duplicate_of):
        return Receipt(external_id=urn, url=permalink(urn), status=answer.status, answer=complaint.shown)
    failure = _failure(answer, complaint, now, chance, cure, fresh=fresh)
    if isinstance(failure, Refused):
        reason = f"the repeat was refused, which does not tell whether the first arrived: {failure.reason}"
        raise InDoubt(reason, status=failure.status, answer=failure.answer)
    raise failure


def is_unready(error: Unavailable) -> bool:
    """Whether a post was put off because LinkedIn has not read its picture yet: of all 400 only that passes."""
    return error.status == 400 and error.pauses is None


def is_write_conflict(answer: Answer) -> bool:
    """Two writes met (409) and this one created nothing: worth one more try at once. A duplicate is none."""
    return answer.status == 409 and read_complaint(answer).duplicate_of is None


def judge_deletion(
    answer: Answer, *, token: str, now: datetime, chance: Chance, cure: str = RENEW, fresh: bool = False
) -> Receipt:
    """Read the answer to a deletion: 204, also to a repeated one; 404 in LinkedIn's words means gone as well.

    Raises Refused or Unavailable. It may be repeated as often as one likes, so there is no doubt to be in.
    """
    complaint = read_complaint(answer, token)
    gone = answer.status == 404 and bool(complaint.message or complaint.codes)
    if gone or answer.status in (200, 202, 204):
        return Receipt(status=answer.status, answer=complaint.shown)
    reason = _reason(answer, complaint)
    if answer.status == 403:
        raise Refused(f"this token may not delete the post ({reason})", status=answer.status, answer=complaint.shown)
    if answer.status == 404:  # of something else that answers under that address
        raise Refused(reason, status=answer.status, answer=complaint.shown)
    failure = _failure(answer, complaint, now, chance, cure, fresh=fresh)
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
    message = one_line(" ".join(word for word in words if isinstance(word, str)))
    number = document.get("serviceErrorCode")
    trace = masked(answer.headers.get("x-li-uuid", ""), token)[:60]  # LinkedIn's support asks for it
    shown = one_line(text if not trace else f"[x-li-uuid {trace}] {text}")
    return Complaint(
        codes=frozenset(code for code in codes if isinstance(code, str)),
        number=number if isinstance(number, int) else 0,
        message=message,
        shown=shown[:ANSWER_LIMIT],
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


def _reason(answer: Answer, complaint: Complaint) -> str:
    return f"LinkedIn answered {answer.status}" + (f": {complaint.short}" if complaint.short else "")


def _failure(
    answer: Answer, complaint: Complaint, now: datetime, chance: Chance, cure: str, *, fresh: bool
) -> DeliveryError:
    status, shown, reason = answer.status, complaint.shown, _reason(answer, complaint)
    if 400 <= status < 429 and status not in (401, 408) and _PICTURE.search(complaint.words):
        return PictureRefused(reason, status=status, answer=shown)
    if status == 401 and fresh and "REVOKED_ACCESS_TOKEN" in complaint.codes:
        return Unavailable(reason, status=status, answer=shown, retry_after=FRESH_PAUSE)
    if pauses := _pauses(status, complaint, cure):
        return Unavailable(reason, status=status, answer=shown, pauses=pauses)
    if status == 429:
        return Unavailable(reason, status=status, answer=shown, retry_after=_rest(answer, now, chance), rests=True)
    if status < 300 or status == 408 or status >= 500:
        return InDoubt(f"{reason}; the post may be there or not", status=status, answer=shown)
    if status in _DUPLICATE_STATUS and (urn := complaint.duplicate_of) is not None:
        reason = f"already on LinkedIn{f' as {urn}' if urn else ''}, or blocked there as a repetition"
        return Refused(reason, status=status, answer=shown)
    if status == 400 and "MEDIA_ASSET_" in complaint.words:  # still being read: nothing was created
        return Unavailable(reason, status=status, answer=shown, retry_after=MEDIA_PAUSE)
    return Refused(reason, status=status, answer=shown)


def _pauses(status: int, complaint: Complaint, cure: str) -> str | None:
    """What a person must do before anything can be posted again, where the answer concerns the channel."""
    if status == 401:
        return _of_token(complaint, cure)
    if status == 426 or complaint.codes & {"VERSION_MISSING", "NONEXISTENT_VERSION"}:
        return "LinkedIn has retired this version of its API: set linkedin.version to a later one (YYYYMM)"
    if status == 403:
        return _of_permission(complaint.message)
    if status == 404:
        return "LinkedIn is not at this address: correct linkedin.api_url"
    if 300 <= status < 400:
        return "the address redirects elsewhere, and a token does not follow: correct linkedin.api_url"
    return None


def _of_token(complaint: Complaint, cure: str) -> str:
    """By code, then by number, then by 401 alone: what LinkedIn says about tokens that are dead differs."""
    known = complaint.codes & {*_DEAD_TOKENS, "RESTRICTED_MEMBER"}
    why = next(iter(sorted(known)), None) or _BY_NUMBER.get(complaint.number, "401")
    if why == "RESTRICTED_MEMBER":
        return f"LinkedIn has restricted the member who posts ({why}): settle it there, then {cure}"
    return f"LinkedIn does not take the token ({why}): {cure}"


def _of_permission(message: str) -> str:
    if "/author" in message:
        return (
            "the access token may not post as linkedin.author: set linkedin.author to the URN of the token's own member"
        )
    if "Unpermitted fields" in message:
        return (
            "LinkedIn does not take a field of our posts from this app: set linkedin.version to one that does (YYYYMM)"
        )
    return (
        "LinkedIn does not let this token post: the app needs the product Share on LinkedIn (w_member_social), for a"
        " Page the Community Management API (w_organization_social), then set linkedin.access_token and linkedin.author"
    )


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


def _json(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _dicts(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
