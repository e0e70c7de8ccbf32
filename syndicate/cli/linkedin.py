"""linkedin login, linkedin status: whose posts they are, and how long they may still be sent."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from syndicate.cli.session import Session
from syndicate.errors import ConfigError, Problem, SyndicateError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from syndicate.channels.linkedin.callback import Callback
    from syndicate.channels.linkedin.oauth import Grant
    from syndicate.channels.linkedin.standing import Standing
    from syndicate.config import LinkedInSettings
    from syndicate.fetch import Fetcher
    from syndicate.store.database import Store
    from syndicate.store.tokens import Login

PATIENCE = 600.0  # seconds for a person to log in
WAYS = """\
There are three ways to post on LinkedIn:
  as yourself  minutes: make an app at linkedin.com/developers (it must name a Page, for good), add the products
               "Share on LinkedIn" and "Sign In with LinkedIn using OpenID Connect", and register {redirect}
               as a redirect URL; write its linkedin.client_id and linkedin.client_secret. A login lasts 60 days.
  as a Page    weeks: the app needs the product "Community Management API", which LinkedIn grants to verified
               organisations, and you must administer the Page; set linkedin.author = "urn:li:organization:…".
  by hand      at once, no app: leave linkedin.client_id and access_token empty. What is due waits:
               `syndicate deliveries show ID` shows text and card to copy, and
               `syndicate deliveries resolve ID --sent URL` says that you posted it.
LinkedIn's API terms speak against automated posting: linkedin.approve = true lets every post wait for your yes."""


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Log in at LinkedIn, and see how long that lasts.", no_args_is_help=True)
    group.command("login")(login)
    group.command("status")(status)
    app.add_typer(group, name="linkedin")


def table(session: Session) -> LinkedInSettings:
    """Raises ConfigError where the channel is not there."""
    linkedin = session.settings.linkedin
    if linkedin is None:
        raise ConfigError([Problem("linkedin", "there is no such channel: add the table [linkedin]")])
    return linkedin


@asynccontextmanager
async def fetching(session: Session) -> AsyncIterator[Fetcher]:
    from syndicate.app import make_fetcher
    from syndicate.clock import system_chance

    fetcher = make_fetcher(session.settings, session.clock, system_chance())
    try:
        yield fetcher
    finally:
        await fetcher.aclose()


# --- login ------------------------------------------------------------------------------------------------------------


def login(
    context: typer.Context,
    paste: Annotated[
        bool, typer.Option("--paste", help="Without a browser here: paste the address that it ends at elsewhere.")
    ] = False,
) -> None:
    """Log in at LinkedIn, and keep the token, encrypted.

    A channel that is paused for its login goes on with its queue.
    """
    session: Session = context.obj
    linkedin = table(session)
    session.say(WAYS.format(redirect=linkedin.redirect) + "\n")
    missing = [key for key in ("client_id", "client_secret") if not getattr(linkedin, key)]
    if missing:
        raise ConfigError([Problem(f"linkedin.{key}", "is missing: it is on your app's page, Auth") for key in missing])
    from syndicate.channels.linkedin import callback

    if not paste and not callback.can_listen(linkedin.redirect):
        raise ConfigError([Problem("linkedin.redirect", "is not on this machine: log in with --paste")])
    from syndicate.app import keys

    store = session.ledger()  # first: a person's login must not be for nothing
    try:
        key = keys(session.settings).signing
        answer = _pasted(session, linkedin) if paste else session.run(_caught(session, linkedin))
        done = session.run(_login(session, linkedin, store, key, answer))
    finally:
        store.close()
    _tell(session, linkedin, done)


async def _login(session: Session, linkedin: LinkedInSettings, store: Store, key: bytes, answer: Callback) -> Login:
    from syndicate import logs
    from syndicate.channels.linkedin import oauth, wallet
    from syndicate.errors import Refused

    if answer.error:
        raise SyndicateError(oauth.callback_error(answer.error, answer.description))
    logs.hide(answer.code)
    async with fetching(session) as fetcher:
        grant = await oauth.exchange(linkedin, fetcher, answer.code)
        logs.hide(grant.access, grant.refresh)
        if missing := oauth.lacking(linkedin.author, grant.scope):
            raise Refused(f"LinkedIn gave a token that cannot post: it lacks {missing}; add that to the app")
        author, name = await _who(linkedin, fetcher, grant)
    new = wallet.login_of(grant, key, session.clock.now(), author=author, name=name)
    await store.write(wallet.keep, new, linkedin.author)
    return new


async def _who(linkedin: LinkedInSettings, fetcher: Fetcher, grant: Grant) -> tuple[str, str | None]:
    """Who posts with it. Raises SyndicateError for somebody else than the configuration says."""
    from syndicate.channels.linkedin import oauth

    if oauth.is_page(linkedin.author):
        return linkedin.author, None
    member = await oauth.userinfo(linkedin, fetcher, grant.access)
    if linkedin.author and linkedin.author != member.author:
        raise SyndicateError(
            f"you logged in as {member.name or 'somebody'} ({member.author}), but linkedin.author is {linkedin.author}:"
            " log in as that member, or correct linkedin.author; nothing was stored"
        )
    return member.author, member.name


def _pasted(session: Session, linkedin: LinkedInSettings) -> Callback:
    """The answer of LinkedIn's page, from another browser. Raises UsageError."""
    from syndicate.channels.linkedin import callback, oauth

    state = secrets.token_urlsafe(32)
    session.warn("Open this address, log in, and paste the address that the browser ends at (it need not load):")
    session.warn(f"\n{oauth.authorize_url(linkedin, state)}\n")
    return callback.read_pasted(sys.stdin.readline(), state)


async def _caught(session: Session, linkedin: LinkedInSettings) -> Callback:
    """The answer of LinkedIn's page, as it comes to us. Raises SyndicateError when none does."""
    from syndicate.channels.linkedin import callback, oauth

    state = secrets.token_urlsafe(32)
    address = oauth.authorize_url(linkedin, state)
    async with callback.listening(linkedin.redirect, state) as heard:
        session.warn(f"Open this address and log in:\n\n{address}\n")
        _open_browser(address)
        try:
            return await asyncio.wait_for(heard, PATIENCE)
        except TimeoutError:
            raise SyndicateError(
                f"LinkedIn sent nobody back within {PATIENCE / 60:.0f} minutes. If its page said that the redirect_uri"
                f" or the client_id does not match, register {linkedin.redirect} with your app, and check"
                " linkedin.client_id"
            ) from None


def _open_browser(address: str) -> None:
    """In a window, where there is one: a browser in this terminal would take it."""
    if sys.platform != "darwin" and not any(map(os.environ.get, ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY"))):
        return
    import webbrowser

    threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()  # it may not return until closed


def _tell(session: Session, linkedin: LinkedInSettings, done: Login) -> None:
    if session.json:
        session.document(
            {
                "author": done.author,
                "name": done.name,
                "scope": sorted(done.scope),
                "expires_at": done.expires_at,
                "refresh_until": done.refresh_until,
            }
        )
    who = f"{done.name} ({done.author})" if done.name else str(done.author)
    ends = f"{done.ends:%Y-%m-%d}" if done.ends else "nobody knows when"
    session.result(f"logged in as {who} until {ends}" + ("; it renews itself until then" if done.renew_at else ""))
    if not linkedin.live:
        session.say("linkedin.live is false: posts still go into the outbox")
    if linkedin.access_token:
        session.warn("linkedin.access_token is set and is used instead of this login: take it out to post with it")


# --- status -----------------------------------------------------------------------------------------------------------


def status(context: typer.Context) -> None:
    """Show who posts, for how long, and what the token may do.

    Exit 1: nothing can be posted as it is.
    """
    session: Session = context.obj
    found = session.run(look(session, online=True))
    if session.json:
        session.document(found.as_json(session.clock.now()))
    for name, value in found.lines(session.clock.now()):
        session.field(name, value)
    for problem in found.problems:
        session.warn(f"linkedin: {problem}")
    raise typer.Exit(1 if found.problems else 0)


async def look(session: Session, *, online: bool) -> Standing:
    """How the login stands. Raises SyndicateError for a database that cannot be read."""
    from syndicate.app import keys
    from syndicate.channels.linkedin.standing import look
    from syndicate.channels.linkedin.wallet import Wallet

    linkedin = table(session)
    store = session.ledger()
    try:
        ring = await asyncio.to_thread(keys, session.settings)
        async with fetching(session) as fetcher:
            wallet = Wallet(linkedin, fetcher, session.clock, store, ring.reading)
            return await look(linkedin, wallet, fetcher, store, session.clock.now(), online=online)
    finally:
        store.close()
