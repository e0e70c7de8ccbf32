"""deliver: ledger -> claim -> channel.send -> settle -> ledger. Public channels, one announcement at a time.

What a death at each step leaves: before the claim nothing; after it a claim without an attempt (planned again); after
`begin_attempt` an attempt without an outcome (unknown, decided by one byte-identical repeat or a person).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from sqlalchemy import Connection

from syndicate import pacing
from syndicate.article import Article
from syndicate.channels.base import Announcement, Channel, Payload
from syndicate.clock import Chance, Clock
from syndicate.crashpoint import crashpoint
from syndicate.delivery import Claim, DeliveryState, Receipt, RetryPolicy, Settlement, settle
from syndicate.errors import DeliveryError, InDoubt, Refused, Unavailable
from syndicate.logs import get
from syndicate.markdown import lead, plain
from syndicate.pacing import Pacing
from syndicate.prose import summary
from syndicate.store import claims
from syndicate.store.database import Store
from syndicate.store.owners import Owner

SUMMARY = 600  # characters at most; a channel cuts further

log = get(__name__)

Ending = Callable[[Connection], object]
"""The statement that ends a claim."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicChannel:
    """A channel with its pace and its patience; `owed` is what the ledger could not be told yet."""

    channel: Channel
    pacing: Pacing
    policy: RetryPolicy
    owed: list[Ending] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.channel.name


def announce(article: Article, channel: str, lost_image: str | None = None) -> Announcement:
    """All that a channel needs to compose; `lost_image` was stated and is not there."""
    said = article.manuscript
    return Announcement(
        article=article,
        summary=summary(plain(said.description) or lead(said.body, title=said.title), SUMMARY),
        own_words=said.own_words.get(channel.casefold()),
        lost_image=lost_image,
    )


async def deliver(
    public: PublicChannel,
    store: Store,
    owner: Owner,
    clock: Clock,
    chance: Chance,
    stop: asyncio.Event,
    only: Sequence[int] | None = None,
) -> int:
    """Deliver what is due on one channel, or `only` these rows of it; returns how many attempts were made."""
    attempts = 0
    await _pay(public, store)
    while not stop.is_set() and owner.stands():
        now = clock.now()
        claim = await store.write(
            claims.claim_one, public.name, owner.id, public.channel.live, now,
            pacing.day_start(now, public.pacing.zone), partial(pacing.earliest, rules=public.pacing, now=now), only,
            approve=public.pacing.approve,
        )  # fmt: skip
        if claim is None:
            break
        crashpoint("claim.done")
        try:
            ending = await _deliver_one(claim, public, store, owner, clock, chance)
        except Exception:  # the claim is ours as long as we live: nobody else would put it right
            public.owed.append(partial(claims.put_right, claim=claim, now=clock.now()))
            raise
        public.owed.append(ending)
        await _pay(public, store)
        crashpoint("settle.done")
        attempts += 1
    return attempts


async def _pay(public: PublicChannel, store: Store) -> None:
    """Tell the ledger how claims ended; what it cannot take now is kept, and nothing more is claimed before."""
    while public.owed:
        await store.write(public.owed[0])
        del public.owed[0]


async def _deliver_one(
    claim: Claim, public: PublicChannel, store: Store, owner: Owner, clock: Clock, chance: Chance
) -> Ending:
    if _is_too_late_to_repeat(claim, public.policy, clock):
        return _settled(claim, InDoubt("too late to repeat it: look whether it is there"), public, clock, chance)
    payload = await _compose(claim, public.channel, store)
    if payload is None:
        return partial(claims.hold_edited, claim=claim)
    if isinstance(payload, DeliveryError):
        return _settled(claim, payload, public, clock, chance)
    if public.channel.live and public.channel.by_hand and not claim.doubtful_since:
        return partial(claims.hold_for_hand, claim=claim, payload=payload, now=clock.now())
    payload = await _prepare(claim, public.channel, payload)
    if isinstance(payload, DeliveryError):
        return _settled(claim, payload, public, clock, chance)
    if not owner.stands():  # suspended past its lease: somebody else may be at it
        return partial(claims.give_back, claim=claim, now=clock.now())
    begun = await store.write(claims.begin_attempt, claim, payload, clock.now())
    if not begun:
        return partial(claims.give_back, claim=claim, now=clock.now())
    if claim.live:
        await store.note_begun(begun, clock.now())
    crashpoint("attempt.begun")
    outcome = await _attempt(public.channel, claim, payload)
    crashpoint("social.accepted")
    return _settled(claim, outcome, public, clock, chance)


def _is_too_late_to_repeat(claim: Claim, policy: RetryPolicy, clock: Clock) -> bool:
    """Whoever comes to a doubt after the provider forgot the first attempt would send a second one."""
    return claim.doubtful_since is not None and clock.now() > claim.doubtful_since + policy.repeat_within


def _settled(claim: Claim, outcome: Receipt | Exception, public: PublicChannel, clock: Clock, chance: Chance) -> Ending:
    settlement = settle(claim, outcome, clock.now(), public.policy, chance)
    return partial(_record, claim=claim, settlement=settlement, now=clock.now())


def _record(connection: Connection, claim: Claim, settlement: Settlement, now: datetime) -> None:
    recorded = claims.record(connection, claim, settlement, now)
    _tell(claim, settlement, recorded=recorded)


async def _compose(claim: Claim, channel: Channel, store: Store) -> Payload | DeliveryError | None:
    """The frozen request, made now where it is not yet; None: its text was edited since a person approved it.

    Nothing has left the machine here.
    """
    if claim.payload is not None:
        return claim.payload
    found = await store.read(claims.text, claim)
    if found is None:
        return Refused("its article is no longer in the catalogue")
    article, lost_image, text = found
    if claim.approved_hash not in (None, text):
        return None
    try:
        return await asyncio.to_thread(channel.compose, announce(article, channel.name, lost_image))
    except DeliveryError as error:
        return error
    except Exception as error:
        log.exception("composing failed", channel=claim.channel, delivery=claim.id)
        return Refused(f"cannot be composed: {type(error).__name__}: {error}")


async def _prepare(claim: Claim, channel: Channel, payload: Payload) -> Payload | Unavailable:
    """The request with what it needs done before; the last moment at which it may change. Nothing was sent yet."""
    if claim.doubtful_since is not None:  # its repeat is the same to the byte
        return payload
    try:
        return await channel.prepare(claim.key, payload)
    except Unavailable as error:
        return error
    except Exception:  # what was composed can go out without
        log.exception("preparing failed", channel=claim.channel, delivery=claim.id)
        return payload


async def _attempt(channel: Channel, claim: Claim, payload: Payload) -> Receipt | Exception:
    """Touch the world once. What nobody classified comes back as it is: settling takes it for doubt."""
    try:
        if claim.doubtful_since is not None:
            return await channel.reconcile(claim.key, payload)
        return await channel.send(claim.key, payload)
    except DeliveryError as error:
        return error
    except Exception as error:
        log.exception("unexpected", channel=claim.channel, delivery=claim.id)
        return error


def _tell(claim: Claim, settlement: Settlement, *, recorded: bool) -> None:
    good = recorded and settlement.state in (DeliveryState.SENT, DeliveryState.REHEARSED)
    receipt = settlement.receipt
    (log.info if good else log.warning)(
        "delivered" if good else "not delivered" if recorded else "too late: the claim was taken back",
        channel=claim.channel,
        delivery=claim.id,
        attempt=claim.attempt,
        state=settlement.state.value,
        status=settlement.status,
        reason=settlement.reason,
        url=receipt.url if receipt else None,
    )
