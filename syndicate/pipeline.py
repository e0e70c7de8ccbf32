"""The main flow, on one page.

    scan     source -> frontmatter -> article -> review -> catalogue            files in, articles out
    verify   article -> its page, its image -> catalogue                        does it live, is it there
    publish  catalogue -> feeds                                                 whenever the catalogue changed
    plan     catalogue, ledger, rules, now -> deliveries, editions              pure decisions, one transaction
    deliver  ledger -> claim -> channel.send -> settle -> ledger                public channels, one at a time
    mail     edition -> letters -> claim -> transport.send -> settle -> ledger  email, in groups

Every step may run twice, or on two machines at once, and change nothing. The last two alone touch the
world; verify only asks it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection

from syndicate import adopting, asking, proof, returning
from syndicate.alarm import Alarm
from syndicate.clock import Chance, Clock
from syndicate.config import Settings
from syndicate.deliver import PublicChannel, deliver
from syndicate.desk import Desk
from syndicate.errors import SyndicateError
from syndicate.freeze import freeze_due, freeze_planned, release_due
from syndicate.guarded import GuardedFetcher
from syndicate.hubs import Teller
from syndicate.mail import Post, mail, tidy
from syndicate.plan import plan
from syndicate.press import Press
from syndicate.publish import Published, publish_if_changed
from syndicate.scan import Scanned, Source, scan
from syndicate.signer import Keys, Signer
from syndicate.single import freeze_singles
from syndicate.store import editions, ledger, pauses, scanners, snapshots, subscribers
from syndicate.store.database import Store
from syndicate.store.owners import Owner
from syndicate.verify import verify


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """The connected parts, as `app.py` puts them together."""

    settings: Settings
    store: Store
    owner: Owner
    clock: Clock
    chance: Chance
    desk: Desk
    sources: Sequence[Source]
    looker: GuardedFetcher  # asks addresses that others wrote
    publics: Mapping[str, PublicChannel]
    keys: Keys
    signer: Signer
    press: Press | None  # makes editions; None without [email]
    post: Post | None
    alarm: Alarm  # tells the owner what is wrong
    stop: asyncio.Event  # set: nothing more is claimed
    teller: Teller | None = None  # tells hubs that the feeds changed; None without any
    shunned: dict[str, float] = field(default_factory=dict)  # sources that it could not read, and since when


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one pass did."""

    scanned: Scanned
    published: Published
    planned: int
    frozen: Sequence[str]  # slugs of editions
    elsewhere: Sequence[str] = ()  # names of sources that another process reads


async def look(app: App, *, asking: bool = False) -> Report:
    """scan, publish, plan: everything short of sending. It reads the clock once, so that one pass has one now.

    With `asking` the world is asked about pages and images in between; the daemon does that beside its passes.
    While the clock cannot be believed, nothing is dated, expired or chosen by it.
    """
    if await app.store.read(pauses.stands, pauses.CLOCK):
        return Report(scanned=Scanned(), published=Published(), planned=0, frozen=())
    now = app.clock.now()
    scanned, published, elsewhere = await _take_in(app, now)
    if asking:
        published += await learn(app, now)
    planned = await plan(app.store, list(app.publics.values()), now)
    frozen = await _freeze(app.press, app.store, now) if app.press else []
    return Report(scanned=scanned, published=published, planned=planned, frozen=frozen, elsewhere=elsewhere)


async def _freeze(press: Press, store: Store, now: datetime) -> list[str]:
    return [*await freeze_due(press, store, now), *await freeze_singles(press, store, now)]


async def note_channels(app: App, now: datetime) -> None:
    """Tell the ledger which channels and digests there are: a new one, and one that goes live, starts from here."""
    live = {name: public.channel.live for name, public in app.publics.items()}
    if app.post is not None:
        live["email"] = app.post.transport.live
    names = [digest.name for digest in app.settings.digests]
    if await app.store.read(_differ, live, names):
        await app.store.write(ledger.sync_channels, live, now)
        await app.store.write(editions.sync_digests, names, now)


def _differ(connection: Connection, live: Mapping[str, bool], digests: Sequence[str]) -> bool:
    return ledger.channels_differ(connection, live) or editions.digests_differ(connection, digests)


async def learn(app: App, now: datetime) -> Published:
    """verify, where it is this process that does; publish what it changed."""
    beside = None if app.owner.what == scanners.DAEMON else app.owner.host
    if not await app.store.read(scanners.asks, app.owner.id, beside):
        return Published()
    adopted = await _adopt(app, first=False)
    if not await verify(app.store, app.looker, app.desk, now) and not adopted:
        return Published()
    return await publish_if_changed(app.store, app.settings)


async def catch_up(app: App) -> Report:
    """scan and publish: what commands for one-off sends need before they choose.

    Raises SyndicateError while the clock cannot be believed.
    """
    if why := (await app.store.read(pauses.standing)).get(pauses.CLOCK):
        raise SyndicateError(why)
    scanned, published, elsewhere = await _take_in(app, app.clock.now())
    return Report(scanned=scanned, published=published, planned=0, frozen=(), elsewhere=elsewhere)


async def _take_in(app: App, now: datetime) -> tuple[Scanned, Published, Sequence[str]]:
    await note_channels(app, now)
    sources, patience = await _own_sources(app)
    scanned = await scan(sources, app.store, app.desk, now, patience=patience)
    await _leave_unread(app, scanned.unread)
    elsewhere = [source.name for source in app.sources if source not in sources]
    await _adopt(app, first=True)
    published = await publish_if_changed(app.store, app.settings)
    if published.waits:
        scanned += Scanned(problems=(published.waits,))
    return scanned, published, elsewhere


async def _adopt(app: App, *, first: bool) -> bool:
    return await adopting.learn(app.store, app.looker, app.settings, app.clock, app.chance, first=first)


async def _own_sources(app: App) -> tuple[Sequence[Source], timedelta]:
    """The sources that this process scans, and how long it is patient with one that it cannot read."""
    names = [source.name for source in app.sources]
    me = app.owner
    shared = await app.store.read(scanners.sharing, names, me.id, me.host)
    if me.what == scanners.DAEMON and len(shared.mine) < len(names):
        await asyncio.to_thread(me.take_back)  # who was killed scans nothing
        shared = await app.store.read(scanners.sharing, names, me.id, me.host)
        if free := takeable(app, shared):
            await app.store.write(scanners.take, free, me.id)
            shared = await app.store.read(scanners.sharing, names, me.id, me.host)
    mine = shared.mine if me.what == scanners.DAEMON else shared.near
    return [source for source in app.sources if source.name in mine], timedelta(0) if shared.alone else _patience(app)


def takeable(app: App, shared: scanners.Sharing) -> set[str]:
    """Sources that nobody scans; what this machine could not read just now it leaves to others, if there are any."""
    now, patience = app.clock.monotonic(), _patience(app).total_seconds()
    return {name for name in shared.vacant if shared.alone or now - app.shunned.get(name, -patience) >= patience}


def _patience(app: App) -> timedelta:
    polls = max(source.poll for source in app.settings.sources)
    return max(2 * polls, timedelta(minutes=2))  # `scanned_at` is written once a minute


async def _leave_unread(app: App, unread: frozenset[str]) -> None:
    if unread:
        app.shunned.update(dict.fromkeys(unread, app.clock.monotonic()))
        await app.store.write(scanners.let_go, unread, app.owner.id)


async def send(app: App) -> int:
    """deliver and mail: what is due now; returns how many attempts were made."""
    async with asyncio.TaskGroup() as tasks:
        jobs = [tasks.create_task(deliver_channel(app, name)) for name in app.publics]
        jobs.append(tasks.create_task(mail_letters(app)))
    return sum(job.result() for job in jobs)


async def send_now(app: App, only: Sequence[int]) -> None:
    """Deliver just these rows of the public channels, and whatever letters are due."""
    async with asyncio.TaskGroup() as tasks:
        for name in app.publics:
            tasks.create_task(deliver_channel(app, name, only))
        tasks.create_task(mail_letters(app))


async def deliver_channel(app: App, name: str, only: Sequence[int] | None = None) -> int:
    """Deliver what is due on one public channel, the repeats of what is in doubt first."""
    await asyncio.to_thread(app.owner.take_back)
    return await deliver(app.publics[name], app.store, app.owner, app.clock, app.chance, app.stop, only)


async def mail_letters(app: App) -> int:
    """Ask who subscribes, show what comes, freeze what a person sent or approved; and mail what is due."""
    if app.post is None or app.press is None:
        return 0
    await asyncio.to_thread(app.owner.take_back)
    await freeze_planned(app.press, app.store, app.clock.now())
    await release_due(app.press, app.store, app.clock.now())
    shared = (app.post, app.press, app.store, app.owner, app.clock)
    notices = 0 if app.stop.is_set() else await proof.send_due(*shared) + await asking.ask_due(*shared)
    return notices + await mail(app.post, app.store, app.owner, app.clock, app.chance, app.stop)


async def tell_hubs(app: App) -> int:
    """Tell hubs of feeds that they do not know; returns how many took it."""
    return await app.teller.tell_due() if app.teller else 0


async def run_pass(app: App) -> Report:
    """One pass of the whole flow."""
    report = await look(app, asking=True)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(send(app))
        tasks.create_task(tell_hubs(app))
    await tidy_up(app)
    return report


async def tidy_up(app: App) -> None:
    """Put away what nobody needs at hand, and draw the consequences of reports that nobody came to draw; once a day,
    count people.
    """
    await tidy(app.store, app.clock, app.stop)
    await returning.tidy(app.store, app.keys.lasting, app.clock, app.stop)
    await count_people(app.store, f"{app.clock.now().astimezone(app.settings.site.zone):%Y-%m-%d}")


async def count_people(store: Store, day: str) -> bool:
    """Note how many people there are on this day, unless that was done, or the day cannot be believed."""
    if await store.read(snapshots.is_noted, day) or await store.read(pauses.stands, pauses.CLOCK):
        return False
    return await store.write(snapshots.note, day, await store.read(subscribers.counts))
