"""The tables of public channels: each a class on `ChannelSettings`, which is all that the rest of the program asks.

Which class belongs to which adapter is written in `publics.KINDS`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import time, timedelta
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from syndicate.config import rules
from syndicate.config.fields import Base, Count, Duration, Flag, OptionalHours, Page, SecretText, Slots, Table
from syndicate.config.values import Hours, Secret

_NOTHING, _HOUR, _DAY = timedelta(0), timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """When a channel may speak and how long it goes on trying; without limits unless said. Zero: no limit."""

    approve: bool = False
    slots: tuple[time, ...] = ()  # local time; () = as soon as hours, min_gap and max_per_day allow
    hours: Hours | None = None  # None = the whole day
    min_gap: timedelta = _NOTHING
    max_per_day: int = 0
    max_age: timedelta = _NOTHING
    repeat_within: timedelta = 2 * _DAY  # of the first attempt in doubt
    retry_for: timedelta = 2 * _DAY  # from the planned moment


class ChannelSettings(Table):
    """What every public channel's table is. A table of its own names the channel; of a list each entry has a `name`."""

    live: Flag = False

    @property
    def pace(self) -> Pace:
        """The rules of its pace; a channel whose table has no keys for them keeps to no limit."""
        return Pace()

    @property
    def by_hand(self) -> str:
        """Why a person posts what we compose; empty: we can send it ourselves."""
        return ""

    def missing(self) -> Iterator[str]:
        """What must be added before it can work live, a sentence each that names the key."""
        yield from ()

    def describe(self) -> str:
        """Where to, or as whom, it sends when live; shows no secret."""
        return "live"


class ListedSettings(ChannelSettings):
    """One of a list of tables, which names itself."""

    name: str

    _name = field_validator("name")(rules.free_name)


class PacedSettings(ChannelSettings):
    """A channel whose owner chooses its pace: people read it."""

    approve: Flag = False
    slots: Slots = ()
    hours: OptionalHours = Hours(start=time(8), end=time(20))
    min_gap: Duration = 2 * _HOUR
    max_per_day: Count = 3
    max_age: Duration = 2 * _DAY
    pick: Literal["best"] = "best"
    repeat_within: Duration = timedelta(minutes=10)
    retry_for: Duration = 2 * _DAY

    @property
    def pace(self) -> Pace:
        return Pace(
            approve=self.approve,
            slots=self.slots,
            hours=self.hours,
            min_gap=self.min_gap,
            max_per_day=self.max_per_day,
            max_age=self.max_age,
            repeat_within=self.repeat_within,
            retry_for=self.retry_for,
        )


class LinkedInSettings(PacedSettings):
    """`[linkedin]`: the channel that posts."""

    author: str = ""  # URN
    api_url: Base = "https://api.linkedin.com"
    auth_url: Base = "https://www.linkedin.com"
    version: str = "202609"
    access_token: SecretText = Secret()
    client_id: str = ""
    client_secret: SecretText = Secret()
    redirect: Page = "http://localhost:8765/linkedin"
    template: str = "linkedin"

    _author = field_validator("author")(rules.author)
    _version = field_validator("version")(rules.version)
    _template = field_validator("template")(rules.name)

    @property
    def by_hand(self) -> str:
        return "" if self.access_token or self.client_id else "no linkedin.access_token"

    def missing(self) -> Iterator[str]:
        if self.access_token and not self.author:
            yield "linkedin.author is missing: urn:li:person:… or urn:li:organization:…"

    def describe(self) -> str:
        return f"live as {self.author}" if self.author else "live"


class WebhookSettings(ListedSettings):
    """`[[webhooks]]`: one address that is told."""

    url: Page = Field(repr=False)  # its query may be a secret
    secret: SecretText = Secret()

    _url = field_validator("url")(rules.not_empty)
    _secret = field_validator("secret")(rules.webhook_secret)

    def describe(self) -> str:
        """Only the host: a path or query may be a secret."""
        signed = "signed" if self.secret else "unsigned: anybody could send the like; set webhooks.secret"
        return f"live at {urlsplit(self.url).hostname}, {signed}"
