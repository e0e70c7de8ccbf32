"""Logging: one line an event, `key=value` for people or JSON for machines, and no secret in either.

Every record of the process, the libraries' too, goes through the one handler made here; there secrets are masked and
control characters escaped. An event is a short constant, its facts are fields; people appear by number, not address.
structlog is imported when the first line is written: most commands write none.
"""

from __future__ import annotations

import base64
import html
import json
import logging
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, TextIO
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from structlog.stdlib import ProcessorFormatter
    from structlog.typing import Processor

STARS = "********"
QUIET = ("httpx", "httpcore", "apscheduler", "watchfiles", "alembic", "sqlalchemy", "uvicorn", "asyncio", "tzlocal")
"""Libraries that are heard only when something is wrong: httpx writes every address it asks, tokens and all."""

_SHORTEST = 4  # characters; starring shorter ones would spoil every line, and give them away
_LONGEST = 2000  # characters of one value
_RESERVED = ("time", "level", "event", "logger", "exception", "exc_info")


class Revealing(Protocol):
    """A secret of the configuration."""

    def reveal(self) -> str: ...


class Logger:
    """Writes events with fields. Usable before `setup`, when only warnings and errors are shown, bare."""

    __slots__ = ("_fields", "_logger")

    def __init__(self, logger: logging.Logger, fields: Mapping[str, object]) -> None:
        self._logger = logger
        self._fields = fields

    def bind(self, **fields: object) -> Logger:
        """A logger that adds these fields to each of its events."""
        return Logger(self._logger, {**self._fields, **fields})

    def debug(self, event: str, /, **fields: object) -> None:
        self._write(logging.DEBUG, event, fields)

    def info(self, event: str, /, **fields: object) -> None:
        self._write(logging.INFO, event, fields)

    def warning(self, event: str, /, **fields: object) -> None:
        self._write(logging.WARNING, event, fields)

    def error(self, event: str, /, **fields: object) -> None:
        self._write(logging.ERROR, event, fields)

    def exception(self, event: str, error: BaseException | None = None, /, **fields: object) -> None:
        """An error with the traceback of `error`, or of the exception being handled."""
        self._write(logging.ERROR, event, fields, trace=error or True)

    def _write(
        self, level: int, event: str, fields: Mapping[str, object], *, trace: bool | BaseException = False
    ) -> None:
        extra = {"fields": {**self._fields, **fields}}
        self._logger.log(level, event, exc_info=trace, extra=extra, stacklevel=3)


def get(name: str) -> Logger:
    """The logger of a module."""
    return Logger(logging.getLogger(name), {})


def setup(verbosity: int, json: bool, stream: TextIO) -> None:
    """Send every line to `stream`. `verbosity`: -1 warnings, 0 what happens, 1 and more details.

    May be called again; the last call counts.
    """
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, _Handler)]:
        root.removeHandler(handler)
    handler = _Handler(stream)
    handler.setFormatter(_Formatter(as_json=json))
    root.addHandler(handler)
    root.setLevel(logging.DEBUG if verbosity > 0 else logging.INFO if verbosity == 0 else logging.WARNING)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


# -- secrets -----------------------------------------------------------------------------------------------------------

_NAMES = r"token|secret|password|passwd|api[_-]?key|signature"
_PATTERNS = (
    re.compile(r"(?i)\b(Bearer|Basic)(\s+)[A-Za-z0-9._~+/=-]{6,}"),
    re.compile(r"(/(?:unsubscribe|preferences|confirm)/)()[^/\s\"'<>?#&]+"),
    re.compile(r"(://[^\s/:@\"'<>]*:)()[^\s/\"'<>]+(?=@)"),
    re.compile(rf"(?i)({_NAMES})(=)[^\s&;\"'<>]+"),
    re.compile(rf"(?i)({_NAMES})(\\?[\"']\s*[:=]\s*\\?[\"'])[^\"'\\]+"),
    re.compile(r"([?&]code)(=)[^\s&;\"'<>]+"),
)
_SECRET_KEY = re.compile(rf"(?i)(?:.*[_-])?(?:{_NAMES}|authorization|cookie)")
_hidden: set[str] = set()
_hidden_pattern: re.Pattern[str] | None = None


def hide(*secrets: str | Revealing) -> None:
    """Never show these texts in a line from now on, nor as they look when quoted or encoded.

    Texts shorter than four characters are left alone.
    """
    global _hidden_pattern
    for secret in secrets:
        _hidden.update(_spellings(secret if isinstance(secret, str) else secret.reveal()))
    longest_first = sorted(_hidden, key=len, reverse=True)
    _hidden_pattern = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None


def _spellings(text: str) -> set[str]:
    raw = text.encode(errors="surrogatepass")
    found = {text, text.strip(), repr(text)[1:-1], repr(raw)[2:-1], html.escape(text), _visible(text)}
    found |= {json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}
    found |= {quote(raw), quote(raw, safe=""), quote_plus(raw), base64.b64encode(raw).decode().rstrip("=")}
    found |= {line.strip() for line in text.splitlines() if len(line) >= 16}
    return {spelling for spelling in found if len(spelling) >= _SHORTEST}


def mask(text: str) -> str:
    """The text with hidden secrets, and what looks like one, starred out."""
    text = _mask_hidden(text)
    for pattern in _PATTERNS:
        text = pattern.sub(rf"\1\2{STARS}", text)
    return text


def _mask_hidden(text: str) -> str:
    return _hidden_pattern.sub(STARS, text) if _hidden_pattern else text


def _visible(text: str) -> str:
    """The text with line breaks, control and invisible characters escaped, so that it cannot pose as another line."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )


# -- lines -------------------------------------------------------------------------------------------------------------


class _Handler(logging.StreamHandler[TextIO]):
    """Writes whole lines; never fails and never shows what it could not write."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception as error:
            # Logging's own report would show the arguments, secrets and all.
            lost = {"name": record.name, "levelno": logging.ERROR, "levelname": "ERROR", "msg": "log-line-lost"}
            line = self.format(logging.makeLogRecord({**lost, "fields": {"reason": type(error).__name__}}))
        try:
            encoding = getattr(self.stream, "encoding", None) or "utf-8"
            self.stream.write(line.encode(encoding, "backslashreplace").decode(encoding) + self.terminator)
            self.flush()
        except (OSError, ValueError):
            pass  # nobody is listening any more; work goes on


class _Formatter(logging.Formatter):
    def __init__(self, *, as_json: bool) -> None:
        super().__init__()
        self._as_json = as_json

    @cached_property
    def _chain(self) -> ProcessorFormatter:
        from structlog import processors, stdlib

        before: list[Processor] = [_facts, processors.format_exc_info, _clean]
        render = processors.JSONRenderer() if self._as_json else _line
        return stdlib.ProcessorFormatter(
            foreign_pre_chain=before,
            processors=[stdlib.ProcessorFormatter.remove_processors_meta, render],
        )

    def format(self, record: logging.LogRecord) -> str:
        line = self._chain.format(record)
        return _mask_hidden(line) if self._as_json else mask(line)


def _facts(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Bring a record into our order: time, level, event, its fields, where it comes from."""
    record: logging.LogRecord = event["_record"]
    fields = getattr(record, "fields", {})
    return {
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": record.levelname.lower(),
        "event": event["event"],
        **{f"{key}_" if key in _RESERVED or key.startswith("_") else key: value for key, value in fields.items()},
        "logger": record.name,
        **{key: value for key, value in event.items() if key != "event"},
    }


def _clean(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Mask every value, the innermost too, before any rendering could spell it otherwise."""
    ours = {key: value for key, value in event.items() if key.startswith("_")}
    trace = {"exception": mask(str(event.pop("exception")))} if event.get("exception") else {}
    return {**_cleaned({key: value for key, value in event.items() if key not in ours}), **trace, **ours}


def _cleaned(value: object) -> Any:
    """A value as plain JSON, masked."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Mapping):
        return {
            mask(str(key)): STARS if entry and _SECRET_KEY.fullmatch(str(key)) else _cleaned(entry)
            for key, entry in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [_cleaned(entry) for entry in value]
    text = mask(str(value))
    if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return value if text == str(value) else text
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


def _line(_: object, __: str, event: MutableMapping[str, Any]) -> str:
    """`time level event key=value …`, and a traceback below it behind bars: nothing can pose as a line of its own."""
    from structlog.processors import LogfmtRenderer

    head = f"{event.pop('time')} {event.pop('level'):<7} {_visible(str(event.pop('event')))}"
    trace = str(event.pop("exception", ""))
    event.pop("logger")
    facts = {re.sub(r"[^\w.-]", "_", key) or "_": _visible(_shown(value)) for key, value in event.items()}
    bars = "".join(f"\n  | {_visible(line)}" for line in trace.splitlines())
    return f"{head} {LogfmtRenderer()(None, '', facts)}".rstrip() + bars


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
