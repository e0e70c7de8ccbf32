"""A rig for each kind of channel: the adapter, a double of its provider, and how the double is made to misbehave.

Every kind of `publics.KINDS` has one here, and so has the example in docs/channels.md.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator, Mapping, MutableSequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from pydantic import create_model

from syndicate import publics
from syndicate.channels.base import Channel
from syndicate.config import LinkedInSettings, Settings, WebhookSettings, channels
from syndicate.fetch import Fetcher
from syndicate.publics import Kind, Parts
from tests.doubles.clock import StillClock
from tests.doubles.hook import SECRET, Asked, HookDouble, Receiver
from tests.doubles.linkedin import AUTHOR, TOKEN, LinkedInDouble

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "channels.md"

FAULTS = {
    "refuse": "400:bad",
    "later": "429:300",
    "pause": "401:who are you",
    "redirect": "302:elsewhere",
    "reset": "reset",
    "hang": "hang",
    "drop": "accept-then-drop",
    "stall": "accept-then-hang",
    "slow": "slow:0.05",
    "broken": "500-after-accept",
}
"""What a provider may do to one request, and how the doubles' scripts say it."""


class Request(Protocol):
    """One request that a double got."""

    @property
    def body(self) -> bytes: ...


@dataclass(frozen=True, kw_only=True)
class Rig:
    """One kind of channel before its double."""

    name: str
    tables: Callable[[bool], dict[str, Any]]  # live -> its part of the configuration
    secret: str
    faults: MutableSequence[str]
    requests: Callable[[], list[Any]]
    world: Callable[[], int]  # messages that people, or programs, got to see
    script: Mapping[str, str] = field(default_factory=lambda: FAULTS)
    kinds: tuple[Kind, ...] = publics.KINDS
    model: type[Settings] = Settings

    def parts(self, fetcher: Fetcher, data: Path, *, live: bool) -> Parts:
        """A whole configuration that holds nothing but this channel."""
        site = {"title": "The Harbour News", "url": "https://example.org", "image": "https://example.org/harbour.png"}
        settings = self.model(site=site, sources=[{}], data=data, **self.tables(live))
        return Parts(settings=settings, fetcher=fetcher, clock=fetcher.clock)

    def channel(self, fetcher: Fetcher, data: Path = Path("nowhere"), *, live: bool = True) -> Channel:
        """The adapter, through the registry."""
        return publics.channel(self.name, self.parts(fetcher, data, live=live), self.kinds)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


@contextmanager
def linkedin(clock: StillClock) -> Iterator[Rig]:
    with LinkedInDouble(clock=lambda: clock.now().timestamp()) as double:
        yield Rig(
            name="linkedin",
            tables=lambda live: {
                "linkedin": {"live": live, "api_url": double.url, "author": AUTHOR, "access_token": TOKEN}
            },
            secret=TOKEN,
            faults=double.faults,
            requests=lambda: double.requests,
            world=lambda: len(double.posts),
            script=FAULTS | {"redirect": "redirect"},
        )


@contextmanager
def webhook(clock: StillClock) -> Iterator[Rig]:
    with HookDouble(clock=lambda: clock.now().timestamp()) as double:
        table = {"name": "partners", "url": f"{double.url}/in?key=of-the-address", "secret": SECRET}
        yield Rig(
            name="partners",
            tables=lambda live: {"webhooks": [{"live": live, **table}]},
            secret=SECRET.removeprefix("whsec_"),
            faults=double.faults,
            requests=lambda: double.requests,
            world=lambda: len(double.world),
        )


# --- the example of the guide -----------------------------------------------------------------------------------------


class Mastodon(Receiver):
    """A server that knows one token, and every Idempotency-Key it was ever given."""

    def admit(self, asked: Asked) -> tuple[int, str, str]:
        key = asked.headers.get("idempotency-key", "")
        if asked.headers.get("authorization") != "Bearer mastodon-token" or asked.path != "/api/v1/statuses" or not key:
            return 401, "no", ""
        number = [*self.world, key].index(key)
        return 200, f'{{"id": "{number}", "url": "https://mastodon.test/@us/{number}"}}', key


def guide() -> dict[str, str]:
    """The pieces of the example: settings, adapter, row."""
    pieces = re.findall(r"^```python (\w+)\n(.*?)^```$", GUIDE.read_text(encoding="utf-8"), re.M | re.S)
    return dict(pieces)


@contextmanager
def documented(clock: StillClock) -> Iterator[Rig]:
    """Run what the guide prints, each piece among the names of the module it belongs into."""
    pieces = guide()
    settings = run(pieces["settings"], vars(channels))["MastodonSettings"]
    adapter = run(pieces["adapter"], {"MastodonSettings": settings})["Mastodon"]
    row = run(f"ROW = {pieces['row']}", vars(publics) | {"MastodonSettings": settings, "Mastodon": adapter})["ROW"]
    model = create_model("Extended", __base__=Settings, mastodon=(settings | None, None))
    with Mastodon() as double:
        table = {"server": double.url, "access_token": "mastodon-token"}
        yield Rig(
            name="mastodon",
            tables=lambda live: {"mastodon": {"live": live, **table}},
            secret="mastodon-token",
            faults=double.faults,
            requests=lambda: double.requests,
            world=lambda: len(double.world),
            kinds=(*publics.KINDS, row),
            model=model,
        )


def run(source: str, names: Mapping[str, Any]) -> dict[str, Any]:
    found = {**names, "__name__": "guide"}
    exec(compile(source, str(GUIDE), "exec", dont_inherit=True), found)
    return found


RIGS = {LinkedInSettings: linkedin, WebhookSettings: webhook}
EXAMPLE = documented
