"""Everything that can go wrong, on one screen.

SyndicateError
|-- ConfigError           the configuration, every problem at once          exit 2
|-- UsageError            what was typed                                    exit 2
|-- ContentError          one file that cannot be understood: line and reason
|-- SourceError           a source that cannot be read as a whole
|-- StoreError            the database: locked, full, read-only, foreign, newer
`-- DeliveryError         one attempt to send
    |-- Refused           never again: the answer is final
    |   `-- PictureRefused      not with this picture: nothing was created, without it the post may be taken
    |-- Unavailable       later: nothing was accepted for certain (`retry_after`, `rests`, `pauses`)
    `-- InDoubt           bytes left and no answer came: nobody knows
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta


class SyndicateError(Exception):
    """Base of all errors with a sentence for the person at the screen."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in the configuration."""

    key: str  # dotted, as in the file: "email.smtp.port"
    text: str

    def __str__(self) -> str:
        return f"{self.key}: {self.text}" if self.key else self.text


class ConfigError(SyndicateError):
    """The configuration cannot be used; `problems` names each mistake once."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class UsageError(SyndicateError):
    """What was typed makes no sense here; the text says what would."""


class ContentError(SyndicateError):
    """A file that cannot be understood.

    `line` counts from 1 in the file; 0 means the file as a whole. `code` is the fixed code of the review rule.
    """

    def __init__(self, reason: str, line: int = 0, code: str = "unreadable") -> None:
        super().__init__(f"line {line}: {reason}" if line else reason)
        self.reason = reason
        self.line = line
        self.code = code


class SourceError(SyndicateError):
    """A source that cannot be read as a whole: an outage, never a deletion."""


class StoreError(SyndicateError):
    """The database cannot serve; the text says what to do."""


class DeliveryError(SyndicateError):
    """An attempt that did not end in a receipt.

    `status` is the provider's code (HTTP or SMTP) where one was given; `answer` its words, cut and without secrets.
    """

    def __init__(self, reason: str, *, status: int | None = None, answer: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.answer = answer


class Refused(DeliveryError):
    """The provider said no, and would say so again."""


class PictureRefused(Refused):
    """Nothing was created because of its picture: the same without it may be taken at once."""


class Unavailable(DeliveryError):
    """Certainly not accepted; worth another try later.

    `retry_after` is the provider's own wish; with `rests` it is one for everything on this channel (a quota that is
    used up). `pauses` says what a person must do before anything on this channel
    can go out again (a dead token, a sunset version); the channel is then paused and nobody is failed for it.
    """

    def __init__(
        self,
        reason: str,
        *,
        status: int | None = None,
        answer: str = "",
        retry_after: timedelta | None = None,
        rests: bool = False,
        pauses: str | None = None,
    ) -> None:
        super().__init__(reason, status=status, answer=answer)
        self.retry_after = retry_after
        self.rests = rests
        self.pauses = pauses


class InDoubt(DeliveryError):
    """Bytes left the machine and no answer came: it may be there, it may not."""
