"""mail: edition -> letters -> claim -> transport.send -> settle -> ledger. Email, in groups, one pump a connection.

    pump      one connection: what it sent goes to the exchange, what it sends next comes from there
    exchange  all of them: one transaction settles and claims for whoever waits
    post      what a letter bears: stencil, Message-ID, links, signature

A death costs at most one group a connection: its letters are due again, with the same Message-ID and bytes, each on
its own after all others; what was in hand at three deaths waits for a person.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from syndicate.clock import Chance, Clock
from syndicate.crashpoint import crashpoint
from syndicate.exchange import Exchange, square_up
from syndicate.letter import Person, Stencil, message_id
from syndicate.post import Post as Post
from syndicate.pump import GROUP, Pump
from syndicate.store import letters, retention, throttles
from syndicate.store.database import Store
from syndicate.store.owners import Owner
from syndicate.transports.base import Envelope, Verdict, ask

NOBODY = 0  # the subscriber of test letters


async def mail(post: Post, store: Store, owner: Owner, clock: Clock, chance: Chance, stop: asyncio.Event) -> int:
    """Send the letters due now; returns how many verdicts came.

    Raises an ExceptionGroup of what went wrong at single connections, once all of them are at their end.
    """
    await square_up(post, store, owner, clock)
    exchange = Exchange(post, store, owner, clock, stop)
    verdicts, probed = 0, True
    while probed and not stop.is_set() and (due := (await exchange.look(GROUP * post.connections)).letters):
        pumps = [Pump(exchange, chance) for _ in range(-(-due // GROUP))]
        await _run(exchange, pumps)
        if (await exchange.look(1)).letters:  # those that no group may hold, once the others are out
            pumps.append(Pump(exchange, chance, alone=True))
            await _run(exchange, pumps[-1:])
        verdicts += sum(pump.verdicts for pump in pumps)
        probed = any(pump.probed for pump in pumps)
        crashpoint("mail.settled")
    exchange.ease()
    if await store.read(letters.ended):
        await store.write(letters.close, clock.now())
    return verdicts


async def _run(exchange: Exchange, pumps: Sequence[Pump]) -> None:
    """Let them work until nothing is due. Where one fails the others finish what is on the wire and claim no more."""
    errors: list[Exception] = []

    async def one(pump: Pump) -> None:
        try:
            await pump.run()
        except Exception as error:
            exchange.broken = True
            errors.append(error)
        finally:
            exchange.leave()

    exchange.busy = len(pumps)
    watching = asyncio.create_task(exchange.watch())
    try:
        async with asyncio.TaskGroup() as tasks:
            for pump in pumps:
                tasks.create_task(one(pump))
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    if errors:
        raise ExceptionGroup("letters could not be sent", errors)


async def tidy(store: Store, clock: Clock, stop: asyncio.Event) -> int:
    """Move letters of mailings that ended long ago out of the way, while no letter is due; returns how many. Domains
    whose rest nobody waits for any more are forgotten.
    """
    if await store.read(throttles.is_stale, clock.now()):
        await store.write(throttles.forget, clock.now())
    moved = 0
    while not stop.is_set() and await store.read(retention.is_ripe, clock.now()):
        if await store.read(letters.is_due, clock.now()):
            break
        moved += await store.write(retention.fold, clock.now())
    return moved


async def send_test(post: Post, payload: Mapping[str, Any], email: str, now: datetime) -> Verdict:
    """Send one message beside the ledger: it consumes nothing, and its links leave everybody subscribed."""
    stencil = Stencil(payload, post.public_url)
    person = Person(
        letter=0,
        subscriber=NOBODY,
        email=email,
        message_id=message_id(post.secret, NOBODY, int(now.timestamp() * 1e6), payload["domain"]),
        unsubscribe_url=post.link("unsubscribe", NOBODY),
        preferences_url=post.link("preferences", NOBODY),
    )
    slug = f"test-{payload['slug']}-{now:%Y%m%dT%H%M%S}"
    pieces = stencil.fill(person)
    if post.dkim:
        pieces = [await asyncio.to_thread(post.dkim.sign, pieces, stencil.date), *pieces]
    sender = post.returns.of(0, NOBODY) if post.returns else stencil.sender
    envelope = Envelope(letter=0, sender=sender, recipient=email, pieces=pieces, edition=slug)
    return await ask(post.transport, envelope)
