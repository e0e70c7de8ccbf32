"""The composition root: settings in, connected parts out, opened and closed in one place.

Rehearsal is a sink chosen here: while a channel is not live, its last step writes into the outbox.
"""

from __future__ import annotations

import asyncio
import gc
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import blake2b
from pathlib import Path

from syndicate import __version__
from syndicate.alarm import Alarm
from syndicate.clock import Chance, Clock, system_chance
from syndicate.config import Settings
from syndicate.delivery import RetryPolicy
from syndicate.desk import Desk
from syndicate.dkim import Dkim, may_stand_for
from syndicate.errors import ConfigError, Problem, SyndicateError
from syndicate.fetch import Fetcher
from syndicate.guarded import GuardedFetcher, trusted
from syndicate.hubs import Teller
from syndicate.logs import get
from syndicate.mail import Post
from syndicate.pipeline import App
from syndicate.press import Press
from syndicate.publics import Parts, public_channels
from syndicate.render import Templates
from syndicate.scan import Source
from syndicate.signer import Keys, ReturnPaths, Signer
from syndicate.sources.folder import Folder
from syndicate.sources.webfeed import WebFeed
from syndicate.store import highwater
from syndicate.store.database import Store, open_ledger
from syndicate.store.owners import RENEW, Owner
from syndicate.store.timekeeping import Timekeeper
from syndicate.transports.alerts import Mail, Way, Webhook
from syndicate.transports.outbox import Outbox as MailOutbox
from syndicate.transports.smtp import Smtp

WORKER = "worker"
LOOK_DEADLINE = 15.0  # seconds for one question to the web
SHORTEST = 16  # bytes of a secret

log = get(__name__)


def keys(settings: Settings) -> Keys:
    """The secrets, newest first: `secret`, then `secrets_old` as written. Raises SyndicateError.

    Links, return paths, forms and sealed logins are made with the newest and read with all. What can only be compared
    with what was made before stays with the oldest: the hashes by which people who left are kept out, Message-IDs and
    MACs of letters that may be repeated, counted tries. With another key the first would be mailed again.
    """
    return Keys(reading=(_newest(settings), *(old.reveal().encode() for old in settings.secrets_old)))


def _newest(settings: Settings) -> bytes:
    """From the configuration, else made once in DATA/secret. Raises SyndicateError."""
    if known := known_secret(settings):
        return known
    path = settings.data / "secret"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".secret.{os.getpid()}")
        draft.touch(mode=0o600)
        with draft.open("w", encoding="ascii") as file:
            file.write(secrets.token_hex(32))
            file.flush()
            os.fsync(file.fileno())  # every link ever mailed hangs on it
        try:
            os.link(draft, path)  # whoever is first wins, and nobody reads half of it
        except FileExistsError:
            pass
        finally:
            draft.unlink()
        return _kept(path)
    except OSError as error:
        raise SyndicateError(f"cannot keep the secret in {path}: {error.strerror}; set `data` or `secret`") from error


def known_secret(settings: Settings) -> bytes | None:
    """The newest secret where there is one; nothing is made. Raises SyndicateError for one that cannot be read."""
    if settings.secret:
        return settings.secret.reveal().encode()
    path = settings.data / "secret"
    try:
        return _kept(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SyndicateError(f"cannot keep the secret in {path}: {error.strerror}; set `data` or `secret`") from error


def _kept(path: Path) -> bytes:
    found = path.read_bytes().strip()
    if len(found) < SHORTEST:
        raise SyndicateError(f"the secret in {path} is damaged: put it back from your backup")
    return found


@asynccontextmanager
async def open_app(settings: Settings, clock: Clock, what: str) -> AsyncIterator[App]:
    """Everything, connected; `what` names this process in the ledger ("run", "send"). Raises SyndicateError.

    A `worker` never makes or upgrades a database: the `run` that it helps does.
    """
    dkim = await asyncio.to_thread(signature, settings)
    store = await asyncio.to_thread(open_ledger, settings, upgrade=what != WORKER, may_fill=what != WORKER)
    ring = await asyncio.to_thread(keys, settings)
    chance = system_chance()
    fetcher = make_fetcher(settings, clock, chance)
    looker = make_looker(settings)
    owner = Owner(store, clock, what, agreement(settings, ring))
    parts = Parts(settings=settings, fetcher=fetcher, clock=clock, store=store, secrets=ring.reading, looker=looker)
    publics = {public.name: public for public in public_channels(parts)}
    gc.freeze()  # modules and tables of the program stay until it ends: no collection need walk them
    try:
        async with _present(owner, store, clock):
            yield App(
                settings=settings,
                store=store,
                owner=owner,
                clock=clock,
                chance=chance,
                desk=Desk(settings, tuple(publics)),
                sources=_sources(settings, looker, clock, chance),
                looker=looker,
                publics=publics,
                keys=ring,
                signer=Signer(*ring.reading),
                press=press(settings),
                post=_post(settings, ring, clock, dkim),
                alarm=_alarm(settings, store, owner, clock, fetcher, dkim),
                stop=asyncio.Event(),
                teller=Teller(store, fetcher, settings, owner.id, clock) if settings.feeds.hubs else None,
            )
    finally:
        for public in publics.values():
            await public.channel.aclose()
        await fetcher.aclose()
        await looker.aclose()
        store.close()


@asynccontextmanager
async def _present(owner: Owner, store: Store, clock: Clock) -> AsyncIterator[None]:
    """This process is there for the others while the body runs: it has a lease, and a clock that can be believed."""
    keeper = Timekeeper(store, clock)
    await asyncio.to_thread(owner.open)
    try:
        await _notice_restored(store, clock)
        await asyncio.to_thread(keeper.start)
        renewing = asyncio.create_task(_renew(owner, keeper, store, clock))
        try:
            yield
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)
    finally:
        await asyncio.to_thread(owner.close)


async def _notice_restored(store: Store, clock: Clock) -> None:
    """Pause everything on a database that is older than what this machine did with it (rule 25), also one that becomes
    so while the program runs.
    """
    mark = store.high_water.read()  # before the count, which is never behind it
    if mark[1] > await store.read(highwater.count) and not await store.read(highwater.is_behind):
        await store.write(highwater.pause_if_behind, mark, clock.now())


def agreement(settings: Settings, ring: Keys) -> str:
    """What every machine on one database must be told alike, a line for each thing.

    Else channels would go live and back with each pass, slots be filled twice, a letter's copies differ, and links of
    one machine's letters be unknown to the other. Of the secrets, taken together, it holds too little to guess them.
    """
    channels = [f"{name} {'live' if live else 'in rehearsal'}" for name, live in sorted(settings.channels.items())]
    digests = [f"{digest.name} at {digest.schedule!r}" for digest in settings.digests]
    others = [f"site.timezone {settings.site.timezone}", f"web.public_url {settings.web.public_url}"]
    if settings.email and settings.email.dkim.domain:
        others.append(f"email.dkim of {settings.email.dkim.selector}._domainkey.{settings.email.dkim.domain}")
    mark = blake2b(b"\0".join(ring.reading), digest_size=2).hexdigest()
    return "\n".join([*channels, *digests, *others, f"secret of mark {mark}"])


async def _renew(owner: Owner, keeper: Timekeeper, store: Store, clock: Clock) -> None:
    said = ""
    while True:
        await clock.sleep(RENEW)
        try:
            await asyncio.to_thread(keeper.look)
            await asyncio.to_thread(owner.renew)
            await _notice_restored(store, clock)
            said = ""
        except Exception as error:  # a lease that is not renewed lapses by itself; this loop must not end with it
            if str(error) != said:
                log.warning("lease not renewed", error=str(error))
            said = str(error)


def press(settings: Settings) -> Press | None:
    """What makes editions; None without [email]."""
    if settings.email is None:
        return None
    return Press(settings=settings, email=settings.email, templates=Templates(folder=settings.templates))


def signature(settings: Settings) -> Dkim | None:
    """Who signs our mail; None where the relay does. Raises ConfigError for a key that cannot sign for the sender."""
    email = settings.email
    if email is None or not email.dkim.domain:
        return None
    if not may_stand_for(email.dkim.domain, email.sender_domain):
        text = f"a signature of {email.dkim.domain} says nothing about mail from {email.sender_domain} (RFC 9989)"
        raise ConfigError([Problem("email.dkim.domain", f"{text}: sign as its domain, or one above or below it")])
    try:
        return Dkim(email.dkim.domain, email.dkim.selector, email.dkim.key.reveal())
    except ValueError as error:
        raise ConfigError([Problem("email.dkim.key", str(error))]) from None


def _post(settings: Settings, ring: Keys, clock: Clock, dkim: Dkim | None) -> Post | None:
    email = settings.email
    if email is None:
        return None
    return Post(
        transport=Smtp(email.smtp, clock) if email.live else MailOutbox(settings.data / "outbox" / "email"),
        policy=RetryPolicy(retry_for=email.retry_for, repeat_within=email.retry_for),
        signer=Signer(*ring.reading),
        secret=ring.lasting,
        public_url=settings.web.public_url.rstrip("/"),
        dkim=dkim,
        returns=ReturnPaths(email.return_address, *ring.reading) if email.return_address else None,
    )


def _alarm(settings: Settings, store: Store, owner: Owner, clock: Clock, fetcher: Fetcher, dkim: Dkim | None) -> Alarm:
    """Mail goes through the server of [email], also in rehearsal: it is the owner who hears."""
    to, email = settings.alerts, settings.email
    ways: list[Way] = [Mail(to.email, email, clock, dkim=dkim)] if to.email and email else []
    if to.webhook:
        ways.append(Webhook(to.webhook, fetcher))
    return Alarm(settings=settings, store=store, owner=owner, clock=clock, ways=ways)


def make_looker(settings: Settings) -> GuardedFetcher:
    """What asks addresses that others wrote: public ones, and those of hosts that the configuration names."""
    sources = (source.url for source in settings.sources)
    named = trusted(settings.site.url, settings.site.image, settings.feeds.adopt, *sources)
    return GuardedFetcher(
        f"syndicate/{__version__} (+{settings.site.url})", allow_private=(*settings.http.allow_private, *named),
        deadline=LOOK_DEADLINE,
    )  # fmt: skip


def _sources(settings: Settings, looker: GuardedFetcher, clock: Clock, chance: Chance) -> list[Source]:
    return [
        WebFeed(source, looker, clock, chance) if source.kind == "feed" else Folder(source)
        for source in settings.sources
    ]


def make_fetcher(settings: Settings, clock: Clock, chance: Chance) -> Fetcher:
    """The one HTTP client; connects when first used."""
    return Fetcher(clock, chance, f"syndicate/{__version__} (+{settings.site.url})")
