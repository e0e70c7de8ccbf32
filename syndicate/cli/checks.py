"""What `check` looks at: one finding a line, each with what mends it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any

from syndicate.cli.findings import Finding
from syndicate.cli.session import Session
from syndicate.errors import ConfigError, SyndicateError

if TYPE_CHECKING:
    from syndicate.config import Settings
    from syndicate.dnsrecords import Look
    from syndicate.errors import Problem


def findings(session: Session, online: bool, look: Look | None = None) -> Iterator[Finding]:
    """Look at everything that can be looked at without sending anything. Raises ConfigError for an unreadable file.

    `look` asks DNS where `online`; None: the name servers of this machine.
    """
    settings = session.settings
    from syndicate import config

    problems = [*config.problems_at_start(settings), *_signature(settings), *session.unknown_fields()]
    for problem in problems:
        yield Finding("configuration", False, str(problem), is_configuration=True)
    if not problems:
        yield Finding("configuration", True, f"{settings.path}")
    yield _database(settings)
    yield from _content(settings)
    yield from _hubs(settings)
    yield from _door(session)
    yield from _templates(settings)
    yield from _editions(session)
    yield from _calendar(session)
    yield from _channels(settings)
    yield from _login(session, online=online)
    if online:
        from syndicate.cli import records

        yield from records.online(settings, look)


def _signature(settings: Settings) -> tuple[Problem, ...]:
    """Why our key cannot sign for the sender."""
    if settings.email is None or not settings.email.dkim.domain:
        return ()
    from syndicate.app import signature

    try:
        signature(settings)
    except ConfigError as error:
        return error.problems
    return ()


def _database(settings: Settings) -> Finding:
    from syndicate.store.database import house, misfit
    from syndicate.store.schema import HEAD

    try:
        database = house(settings)
        found = database.version()
    except SyndicateError as error:
        return Finding("database", False, str(error))
    remarks = "".join(f"; {remark}" for remark in database.remarks())
    if found is None:
        return Finding("database", True, f"{database.where}: none yet, the first `syndicate run` makes it{remarks}")
    if found != HEAD:
        return Finding("database", False, misfit(database.where, found))
    return Finding("database", True, f"{database.where}{remarks}")


def _content(settings: Settings) -> Iterator[Finding]:
    from syndicate.sources.folder import Folder

    for source in settings.sources:
        try:
            count = len(Folder(source).look())
        except SyndicateError as error:
            yield Finding("content", False, str(error))
            continue
        none = "" if count else ": nothing matches sources.include; is sources.path the folder of your articles?"
        yield Finding("content", bool(count), f"{source.name}: {count} files in {source.path}{none}")


def _hubs(settings: Settings) -> Iterator[Finding]:
    """Those that are told of new feeds, and those that are not."""
    if not settings.feeds.hubs:
        return
    from syndicate.fetch import origin
    from syndicate.hubs import reachable

    told = reachable(settings)
    if len(told) < len(settings.feeds.hubs):
        text = "web.public_url is on this machine: hubs elsewhere are not told (feeds.hubs)"
        yield Finding("hubs", True, text, is_remark=True)
    else:
        yield Finding("hubs", True, f"told of new feeds: {', '.join(map(origin, told))}")


def _door(session: Session) -> Iterator[Finding]:
    """Whether a proxy that names itself by no header would let the world into the newsroom; once anything is live,
    there is likely to be one.
    """
    from syndicate import config

    web = session.settings.web
    here = config.is_loopback_host(web.host) and config.is_loopback_url(web.public_url)
    if not (web.enabled and any(session.settings.channels.values()) and here) or web.password or _has_password(session):
        return
    text = "there is no password, and web.public_url is on this machine: behind a proxy anybody might get"
    yield Finding("newsroom", True, f"{text} in; `syndicate password` sets one", is_remark=True)


def _has_password(session: Session) -> bool:
    """Whether the database keeps one; also where that cannot be known, which is told already."""
    from syndicate.store import sessions
    from syndicate.store.database import house
    from syndicate.store.schema import HEAD

    try:
        found = house(session.settings).version()
        return found is not None and (found != HEAD or bool(session.read(sessions.password)))
    except SyndicateError:
        return True


def _templates(settings: Settings) -> Iterator[Finding]:
    """Render a sample through every digest's templates: a broken one shows here and not on its day."""
    from syndicate.app import press
    from syndicate.press import render_edition
    from syndicate.sample import sample_contents, sample_moment

    made = press(settings)
    for digest in settings.digests if made else ():
        assert made is not None
        try:
            contents = sample_contents(settings, digest.name)
            _, payload = render_edition(made, digest, contents, sample_moment())
            size = len(str(payload["html"]).encode()) / 1024
            yield Finding("templates", True, f"digest {digest.name}: renders, {size:.0f} KB of 102 with a sample")
            yield from _lint(settings, digest.name, payload)
        except (SyndicateError, ValueError) as error:
            yield Finding("templates", False, f"digests.{digest.name}: {error}")


def _lint(settings: Settings, digest: str, payload: Mapping[str, Any]) -> Iterator[Finding]:
    """What would be objected to in such a letter."""
    from syndicate.cli.objections import objections

    for remark in objections(settings, payload):
        grave = remark.level == "fail"
        yield Finding("letter", not grave, f"digest {digest}: {remark.text}", is_remark=not grave)


def _editions(session: Session) -> Iterator[Finding]:
    """The same of what each digest would send now, where it would."""
    from syndicate.cli.previews import by_hand, press_of
    from syndicate.press import render_edition
    from syndicate.store.database import house
    from syndicate.store.schema import HEAD

    settings = session.settings
    try:
        if settings.email is None or house(settings).version() != HEAD:
            return
        store = session.ledger()
    except SyndicateError as error:
        yield Finding("letter", False, str(error))
        return
    with closing(store):
        for digest in settings.digests:
            try:
                for window in by_hand(session, store, digest)[:1]:
                    _, payload = render_edition(press_of(session), digest, window.contents, session.clock.now())
                    yield from _lint(settings, f"{digest.name}, as of now", payload)
            except (SyndicateError, ValueError) as error:  # the others' are looked at all the same
                yield Finding("letter", False, f"digest {digest.name}, as of now: {error}")


def _calendar(session: Session) -> Iterator[Finding]:
    from syndicate.words import upcoming

    for name, slots in upcoming(session.settings, session.clock.now()).items():
        yield Finding("next", True, f"{name}: {slots} ({session.settings.site.timezone})")


def _channels(settings: Settings) -> Iterator[Finding]:
    if settings.email:
        text = "live" if settings.email.live else "rehearsal: letters go into the outbox (email.live = false)"
        dkim = settings.email.dkim
        yield Finding("email", True, f"{text}, signed as {dkim.domain} ({dkim.selector})" if dkim.domain else text)
    for name, table in settings.publics.items():
        missing = list(table.missing())
        if not table.live:
            yield Finding(name, True, f"rehearsal: posts go into the outbox ({settings.key_of(name)}.live = false)")
        elif table.by_hand:
            yield Finding(name, True, f"by hand: {table.by_hand}, so due posts wait for you to post them")
        else:
            yield Finding(name, not missing, "; ".join(missing) or table.describe())


def _login(session: Session, *, online: bool) -> Iterator[Finding]:
    """Whether a post would be taken; never judged by what answers also where nothing may be posted."""
    linkedin = session.settings.linkedin
    if linkedin is None or linkedin.by_hand or not (linkedin.live or online):
        return
    try:
        from syndicate.cli.linkedin import look
        from syndicate.store.database import house
        from syndicate.store.schema import HEAD

        if house(session.settings).version() != HEAD:
            return
        found = session.run(look(session, online=online))
    except SyndicateError as error:
        yield Finding("linkedin", False, f"its login cannot be looked up: {error}")
        return
    for problem in found.problems:
        yield Finding("linkedin", False, problem)
    if not found.problems:
        left = found.days_left(session.clock.now())
        days = "" if left is None else f", {left} days left"
        yield Finding("linkedin", True, f"posts as {found.author}{days}{''.join(f'; {note}' for note in found.notes)}")
