"""The types of the keys: how a value of the file becomes a value of `values`, and where secrets are looked up.

Validation context (all optional): `folder`, what relative paths are relative to; `environ`, where `{ env = … }` looks.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import time, timedelta
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, ValidationInfo

from syndicate.config.values import (
    DatabaseUrl,
    Hours,
    Secret,
    base_address,
    domain_name,
    duration,
    hours,
    is_password_hash,
    mailbox,
    own_mailbox,
    public_address,
    shown,
    time_of_day,
    web_address,
)

_LARGEST_SECRET = 65_536  # bytes


class Table(BaseModel):
    """A table of the file: frozen, and every key known."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, hide_input_in_errors=True, arbitrary_types_allowed=True
    )


class FromEnvironment(str):
    """A text that came from an override in the environment, where secrets may stand in clear."""

    __slots__ = ()


def _duration(value: object) -> object:
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str):
        raise ValueError(f'must be a duration in quotation marks, like "10m"; it is {shown(value)}')
    return duration(value)


def _optional_duration(value: object) -> object:
    return None if value is None or value == "" else _duration(value)


def _some(value: timedelta) -> timedelta:
    if not value:
        raise ValueError('must be longer than "0s"')
    return value


def _hours(value: object) -> object:
    if isinstance(value, str):
        return hours(value)
    if value is not None and not isinstance(value, Hours):
        raise ValueError(f'must be a span of hours in quotation marks, like "08:00-20:00"; it is {shown(value)}')
    return value


def _slots(value: object) -> object:
    if not isinstance(value, list | tuple) or not all(isinstance(entry, str | time) for entry in value):
        raise ValueError('must be a list of times of day, like ["09:30", "16:00"]')
    return tuple(sorted({time_of_day(entry) if isinstance(entry, str) else entry for entry in value}))


def _or_empty(read: Callable[[str], str]) -> Callable[[str], str]:
    return lambda text: read(text) if text else text


def _path(value: object, info: ValidationInfo) -> object:
    if not isinstance(value, str | Path) or "\0" in str(value):
        raise ValueError(f"must be a path in quotation marks; it is {shown(value)}")
    if not str(value).strip():
        raise ValueError("must not be empty")
    try:
        path = Path(value).expanduser()
    except RuntimeError:
        raise ValueError(f"{shown(str(value))} cannot be found: there is no such user") from None
    return Path((info.context or {}).get("folder", "."), path)


def _optional_path(value: object, info: ValidationInfo) -> object:
    return None if value is None or value == "" else _path(value, info)


def _secret(value: object, info: ValidationInfo) -> Secret:
    """Look a secret up where the file says it is. Its text is in no message."""
    if isinstance(value, Secret):
        return value
    if isinstance(value, str):
        return Secret(value)
    if isinstance(value, dict) and len(value) == 1:
        ((kind, where),) = value.items()
        if isinstance(where, str) and where and kind == "env":
            return Secret(_from_variable(where, info))
        if isinstance(where, str) and where and kind == "file":
            return Secret(_from_file(where, info))
    raise ValueError('must be a text, { env = "NAME" } or { file = "path" }')


def _from_variable(name: str, info: ValidationInfo) -> str:
    text = (info.context or {}).get("environ", {}).get(name)
    if not text:
        state = "is not set" if text is None else "is empty"
        raise ValueError(f"the environment variable {shown(name)} {state}: set it, or remove this key")
    return str(text)


def _from_file(name: str, info: ValidationInfo) -> str:
    path = _path(name, info)
    assert isinstance(path, Path)
    named = shown(str(path), limit=1000)  # its end tells most
    try:
        with path.open("rb") as file:
            raw = file.read(_LARGEST_SECRET + 1)
        text = raw.decode().rstrip("\r\n")
    except OSError as error:
        raise ValueError(f"the file {named} cannot be read: {error.strerror or 'unreadable'}") from None
    except UnicodeDecodeError:
        raise ValueError(f"the file {named} is not text in UTF-8") from None
    if len(raw) > _LARGEST_SECRET:
        raise ValueError(f"the file {named} is too large for a secret")
    if not text:
        raise ValueError(f"the file {named} is empty")
    return text


def _password(value: object, info: ValidationInfo) -> Secret:
    secret = _secret(value, info)
    in_the_open = isinstance(value, str) and not isinstance(value, FromEnvironment)
    if in_the_open and secret and not is_password_hash(secret.reveal()):
        raise ValueError('a password must not stand here in clear: use { env = "NAME" } or { file = "path" }')
    return secret


def _database(value: object, info: ValidationInfo) -> DatabaseUrl:
    url = _secret(value, info).reveal()
    scheme, separator, rest = url.partition("://")
    if not url or (scheme in ("postgresql", "postgresql+psycopg") and rest):
        return DatabaseUrl(url)
    if scheme not in ("sqlite", "sqlite+pysqlite") or not separator:
        raise ValueError('must be "" or begin with postgresql:// (or sqlite:///)')
    name, _, query = rest.removeprefix("/").partition("?")
    if not rest.startswith("/") or name in ("", ":memory:"):
        raise ValueError('names no file: write "" for DATA/syndicate.db, or "sqlite:///path"')
    path = Path((info.context or {}).get("folder", "."), name).absolute()
    return DatabaseUrl(f"{scheme}:///{path}" + ("?" + query if query else ""))


_in_stars = PlainSerializer(str, return_type=str)

Flag = Annotated[bool, Field(strict=True)]
Count = Annotated[int, Field(strict=True, ge=0, le=2**31)]
Positive = Annotated[int, Field(strict=True, ge=1, le=2**31)]
Port = Annotated[int, Field(strict=True, ge=1, le=65_535)]
Rate = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]  # a second; 0 = no limit
Duration = Annotated[timedelta, BeforeValidator(_duration)]
Span = Annotated[timedelta, BeforeValidator(_duration), AfterValidator(_some)]  # longer than nothing
OptionalDuration = Annotated[timedelta | None, BeforeValidator(_optional_duration)]
OptionalHours = Annotated[Hours | None, BeforeValidator(_hours)]
Slots = Annotated[tuple[time, ...], BeforeValidator(_slots)]
Page = Annotated[str, AfterValidator(_or_empty(web_address))]
Base = Annotated[str, AfterValidator(base_address)]
PublicBase = Annotated[str, AfterValidator(public_address)]
OptionalDomain = Annotated[str, AfterValidator(_or_empty(domain_name))]
OptionalMailbox = Annotated[str, AfterValidator(_or_empty(mailbox))]
OptionalSender = Annotated[str, AfterValidator(_or_empty(own_mailbox))]
Sender = Annotated[str, AfterValidator(own_mailbox)]
Place = Annotated[Path, BeforeValidator(_path)]
OptionalPlace = Annotated[Path | None, BeforeValidator(_optional_path)]
SecretText = Annotated[Secret, BeforeValidator(_secret), _in_stars]
Password = Annotated[Secret, BeforeValidator(_password), _in_stars]
Database = Annotated[DatabaseUrl, BeforeValidator(_database), _in_stars]
