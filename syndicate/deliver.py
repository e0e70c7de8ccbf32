"""deliver: ledger -> claim -> channel.send -> settle -> ledger. Public channels, one announcement at a time.

What a death at each step leaves: before the claim nothing; after it a claim without an attempt (planned again); after
`begin_attempt` an attempt without an outcome (unknown, decided by one byte-identical repeat or a person).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from syndicate import pacing
from syndicate.article import Article
from syndicate.channels.base import Announcement, Channel, Payload
from syndicate.clock import Chance, Clock
from syndicate.crashpoint import crashpoint
from syndicate.delivery import Claim, DeliveryState, Receipt, RetryPolicy, Settlement, settle
from syndicate.errors import DeliveryError, Refused
from syndicate.logs import get
from syndicate.markdown import plain, to_text
from syndicate.pacing import Pacing
from syndicate.prose import summary
from syndicate.store import articles, ledger
from syndicate.store.database import Store
from syndicate.store.owners import Owner

SUMMARY = 600  # characters at most; a channel cuts further

log = get(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicChannel:
    """A channel with its pace and its patience."""

    channel: Channel
    pacing: Pacing
    policy: RetryPolicy

    @property
    def name(self) -> str:
        return self.channel.name


def announce(article: Article, channel: str) -> Announcement:
    """All that a channel needs to compose."""
    said = article.manuscript
    return Announcement(
        article=article,
        summary=summary(plain(said.description) or to_text(said.body), SUMMARY),
        own_words=said.own_words.get(channel),
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
    while not stop.is_set():
        now = clock.now()
        claim = await store.write(
            ledger.claim_one, public.name, owner.id, public.channel.live, now,
            pacing.day_start(now, public.pacing.zone), partial(pacing.earliest, rules=public.pacing, now=now), only,
        )  # fmt: skip
        if claim is None:
            break
        crashpoint("claim.done")
        await _deliver_one(claim, public, store, owner, clock, chance)
        attempts += 1
    return attempts


async def _deliver_one(
    claim: Claim, public: PublicChannel, store: Store, owner: Owner, clock: Clock, chance: Chance
) -> None:
    payload = await _compose(claim, public.channel, store)
    if isinstance(payload, DeliveryError):
        settlement = settle(claim, payload, clock.now(), public.policy, chance)
        await store.write(ledger.record, claim, settlement, clock.now())
        log.warning("not composed", channel=claim.channel, delivery=claim.id, reason=payload.reason)
        return
    if public.channel.live and public.channel.by_hand:
        await store.write(ledger.hold_for_hand, claim, payload, clock.now())
        return
    if not owner.stands():  # suspended past its lease: somebody else may be at it
        await store.write(ledger.give_back, claim, clock.now())
        return
    if not await store.write(ledger.begin_attempt, claim, payload, clock.now()):
        return
    crashpoint("attempt.begun")
    outcome = await _attempt(public.channel, claim, payload)
    crashpoint("social.accepted")
    settlement = settle(claim, outcome, clock.now(), public.policy, chance)
    await store.write(ledger.record, claim, settlement, clock.now())
    crashpoint("settle.done")
    _tell(claim, settlement)


async def _compose(claim: Claim, channel: Channel, store: Store) -> Payload | DeliveryError:
    """The frozen request, made now where it is not yet. Nothing has left the machine here."""
    if claim.payload is not None:
        return claim.payload
    article = await store.read(articles.get, claim.subject)
    if article is None:
        return Refused("its article is no longer in the catalogue")
    try:
        return await asyncio.to_thread(channel.compose, announce(article, channel.name))
    except DeliveryError as error:
        return error
    except Exception as error:
        log.exception("composing failed", channel=claim.channel, delivery=claim.id)
        return Refused(f"cannot be composed: {type(error).__name__}: {error}")


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


def _tell(claim: Claim, settlement: Settlement) -> None:
    good = settlement.state in (DeliveryState.SENT, DeliveryState.REHEARSED)
    (log.info if good else log.warning)(
        "delivered" if good else "not delivered",
        channel=claim.channel,
        delivery=claim.id,
        attempt=claim.attempt,
        state=settlement.state.value,
        status=settlement.status,
        reason=settlement.reason,
    )
