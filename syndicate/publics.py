"""The public channels that there are: which settings make which adapter. A further channel is one row here.

Everything else asks `Settings.publics` and the protocol in `channels.base`, and names no channel.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from syndicate.channels.base import Channel
from syndicate.channels.linkedin import LinkedIn
from syndicate.channels.linkedin.wallet import Wallet
from syndicate.channels.outbox import BEARER, Outbox
from syndicate.channels.webhook import SIGNED, UNSIGNED, Webhook
from syndicate.clock import Clock
from syndicate.config import ChannelSettings, LinkedInSettings, Settings, WebhookSettings
from syndicate.deliver import PublicChannel
from syndicate.delivery import RetryPolicy
from syndicate.fetch import Fetcher
from syndicate.guarded import GuardedFetcher
from syndicate.pacing import Pacing
from syndicate.store.database import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What adapters are built from; who builds them closes it."""

    settings: Settings
    fetcher: Fetcher
    clock: Clock
    store: Store | None = None  # where logins are; previews need none
    secrets: Sequence[bytes] = ()  # which open them, newest first
    looker: GuardedFetcher | None = None  # reads pictures; previews need none


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of channel: its table, and `build(name, table, parts)`, which opens nothing."""

    table: type[ChannelSettings]
    build: Callable[[str, Any, Parts], Channel]
    masked: Callable[[Any], Mapping[str, str]]  # of a table: headers with secrets, as the outbox shows them


def _linkedin(_name: str, table: LinkedInSettings, parts: Parts) -> Channel:
    settings = parts.settings
    wallet = Wallet(table, parts.fetcher, parts.clock, parts.store, parts.secrets)
    return LinkedIn(
        table, settings.site, parts.fetcher, parts.clock, table.live, templates=settings.templates, wallet=wallet,
        pictures=parts.looker,
    )  # fmt: skip


def _webhook(_name: str, table: WebhookSettings, parts: Parts) -> Channel:
    return Webhook(table, parts.settings.site, parts.fetcher)


KINDS: tuple[Kind, ...] = (
    Kind(table=LinkedInSettings, build=_linkedin, masked=lambda table: BEARER),
    Kind(table=WebhookSettings, build=_webhook, masked=lambda table: SIGNED if table.secret else UNSIGNED),
)


def channel(name: str, parts: Parts, kinds: Sequence[Kind] = KINDS) -> Channel:
    """The adapter of a configured channel itself, also for previews. Raises KeyError for a name that is not there."""
    table = parts.settings.publics[name]
    return _kind(table, kinds).build(name, table, parts)


def public_channels(parts: Parts, kinds: Sequence[Kind] = KINDS) -> list[PublicChannel]:
    """The public channels of a configuration; one that is not live writes into the outbox."""
    return [_public(name, table, parts, kinds) for name, table in parts.settings.publics.items()]


def _public(name: str, table: ChannelSettings, parts: Parts, kinds: Sequence[Kind]) -> PublicChannel:
    made, pace = channel(name, parts, kinds), table.pace
    if not table.live:
        made = Outbox(made, parts.settings.data / "outbox" / name, masked=_kind(table, kinds).masked(table))
    return PublicChannel(
        channel=made,
        pacing=pacing_of(parts.settings, table),
        policy=RetryPolicy(retry_for=pace.retry_for, repeat_within=pace.repeat_within),
    )


def _kind(table: ChannelSettings, kinds: Sequence[Kind]) -> Kind:
    return next(kind for kind in kinds if kind.table is type(table))


def paces(settings: Settings) -> dict[str, Pacing]:
    """The pace of each public channel."""
    return {name: pacing_of(settings, table) for name, table in settings.publics.items()}


def pacing_of(settings: Settings, table: ChannelSettings) -> Pacing:
    """The rules of pace as written in the configuration."""
    pace = table.pace
    return Pacing(
        zone=settings.site.zone,
        slots=pace.slots,
        hours=(pace.hours.start, pace.hours.end) if pace.hours else None,
        min_gap=pace.min_gap,
        max_per_day=pace.max_per_day,
        max_age=pace.max_age,
        delay=settings.review.delay,
        approve=pace.approve,
    )
