"""articles, approve, reject, preview."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from syndicate.cli.session import Session, one_of
from syndicate.errors import UsageError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from syndicate.article import Article
    from syndicate.config import DigestSettings, Settings
    from syndicate.hand import Hand, Meant
    from syndicate.store.database import Store

NAMED = 20  # articles at most that are named one by one
STATES = ("ready", "held", "scheduled", "draft", "rejected", "gone")


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="The catalogue with verdicts and reasons.", invoke_without_command=True)
    group.callback()(listing)
    group.command("show")(show)
    group.command("forget")(forget)
    app.add_typer(group, name="articles")
    app.command()(approve)
    app.command()(reject)
    app.command()(preview)


def as_json(article: Article) -> dict[str, Any]:
    """One article in the contract's shape."""
    said = article.manuscript
    return {
        "id": article.id, "source": article.source, "path": article.path, "slug": article.slug, "url": article.url,
        "title": said.title or None, "subtitle": said.subtitle or None, "description": said.description or None,
        "authors": list(said.authors), "tags": list(said.tags), "cta": said.cta or None,
        "hero_image": said.hero_image, "reading_time": article.reading_time, "published": said.published,
        "created": said.created, "released": article.released, "first_seen": article.first_seen,
        "updated": article.updated, "words": said.words, "state": article.state.value,
        "reasons": list(article.reasons), "repairs": list(said.repairs),
    }  # fmt: skip


def listing(
    context: typer.Context,
    state: Annotated[str | None, typer.Option("--state", metavar="S", help=f"Only these: {', '.join(STATES)}.")] = None,
) -> None:
    """List every file of every source with its verdict and reasons."""
    if context.invoked_subcommand:
        return
    session: Session = context.obj
    one_of(state, STATES, "state of an article")
    from syndicate.store import articles

    found = session.read(articles.listing, state)
    if session.json:
        session.document([as_json(article) for article in found])
        return
    rows = [(one.state, one.released or one.first_seen, one.path, one.title, "; ".join(one.reasons)) for one in found]
    none = f"No article is {state}." if state else "No articles yet: `syndicate run --once` looks for them."
    session.table(("state", "released", "path", "title", "why"), rows, empty=none)


def show(
    context: typer.Context, article: Annotated[str, typer.Argument(metavar="ARTICLE", help="Id, slug or path.")]
) -> None:
    """Show one article: what its file says and what was repaired."""
    session: Session = context.obj
    from syndicate.store import articles

    found = session.read(articles.find, article)
    if session.json:
        session.document(as_json(found))
        return
    for name, value in as_json(found).items():
        if value not in (None, [], ""):
            session.field(name, value)


def forget(context: typer.Context, source: Annotated[str, typer.Argument(metavar="SOURCE", help="Its name.")]) -> None:
    """Say that the missing files of a source were deleted on purpose."""
    session: Session = context.obj
    names = [one.name for one in session.settings.sources]
    one_of(source, names, "source")
    from syndicate.store import feedstates

    session.write(feedstates.forget, source, True)
    session.say(f"{source}: what is missing is withdrawn by the next two scans")
    if session.json:
        session.document({"source": source, "forget": True})


def approve(
    context: typer.Context,
    articles: Annotated[
        list[str] | None, typer.Argument(metavar="ARTICLE", help="Ids, slugs or paths; or editions that wait.")
    ] = None,
    rule: Annotated[
        str | None, typer.Option("--rule", metavar="CODE", help="All that this rule holds, like duplicate-title.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that are held.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Into the feeds only: never announced.")] = False,
) -> None:
    """Release what is held: articles, deliveries, editions.

    A person's word about an article stands for good, also after the file is edited. A post or an edition that waits
    for approval is approved with the text as it is now: an edit holds it again.
    """
    session: Session = context.obj
    if bool(articles) + bool(rule) + everything != 1:
        raise UsageError("name articles or editions, or --rule CODE, or --all")
    from syndicate import hand

    meant = _meant(session, articles, quiet=quiet) if articles else session.read(_held, rule, quiet)
    with _hand(session, mails=bool(meant.editions)) as mine:
        told = [session.run(hand.approve_edition(mine, slug)) for slug in meant.editions]
        approved = session.run(hand.approve(mine, meant.articles, quiet=quiet)) if meant.articles else []
    for edition in told:
        session.say(f"{edition.verdict}: {edition.edition}: {edition.text}")
    if session.json:
        session.document([*map(asdict, told), *(_as_ruled(one, "approved") for one in approved)])
    if not len(meant):
        session.say(
            f"nothing is held{f' by {rule!r}' if rule else ''}: `syndicate articles --state held` lists what is"
        )
    for one in approved if len(approved) <= NAMED else ():
        session.say(f"approved: {one.path} (text {one.hash[: hand.MARK]})")
    if approved:
        session.say(f"approved: {len(meant.articles)}" + (" (into the feeds only)" if quiet else ""))


def _held(connection: Connection, rule: str | None, quiet: bool) -> Meant:
    from syndicate.hand import meant

    return meant(connection, rule, quiet=quiet)


def _meant(session: Session, references: Sequence[str], *, quiet: bool) -> Meant:
    """The articles and editions of these names. Raises UsageError."""
    from syndicate import hand
    from syndicate.store import articles

    waiting = session.read(hand.held_editions)
    editions = [one for one in references if one in waiting]
    if editions and quiet:
        raise UsageError(f"{editions[0]} is an edition: --quiet is for articles")
    ids = [session.read(articles.find, one).id for one in references if one not in editions]
    return hand.Meant(articles=ids, editions=editions)


@contextmanager
def _hand(session: Session, *, mails: bool = False) -> Iterator[Hand]:
    """The hand of whoever typed the command; one that `mails` approves of editions."""
    from syndicate.hand import Hand

    press = None
    if mails:
        from syndicate.app import press as made

        press = made(session.settings)
    with closing(session.ledger()) as store:
        yield Hand(store=store, settings=session.settings, clock=session.clock, who=session.who, press=press)


def _as_ruled(one: Any, verdict: str) -> dict[str, Any]:
    return {"id": one.id, "verdict": verdict, "path": one.path, "text": one.hash}


def reject(
    context: typer.Context,
    article: Annotated[str, typer.Argument(metavar="ARTICLE", help="Id, slug or path.")],
    because: Annotated[str, typer.Option("--because", metavar="TEXT", help="The reason, for the ledger.")],
) -> None:
    """Reject an article for good.

    It leaves the feeds, and what was open is cancelled; what was sent stays.
    """
    session: Session = context.obj
    from syndicate import hand
    from syndicate.store import articles as catalogue

    found = session.read(catalogue.find, article)
    with _hand(session) as mine:
        ruled = session.run(hand.reject(mine, found.id, because))
    if session.json:
        session.document([_as_ruled(one, "rejected") for one in ruled])
    session.say(f"rejected: {found.path}")


def preview(
    context: typer.Context,
    article: Annotated[str | None, typer.Argument(metavar="ARTICLE", help="Id, slug or path.")] = None,
    channel: Annotated[str | None, typer.Option("--channel", metavar="NAME", help="email, linkedin, ...")] = None,
    digest: Annotated[
        str | None, typer.Option("--digest", metavar="NAME", help="The next edition of it, or one that waits.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", metavar="FILE", help="Write it there (.html, .txt, .json).")
    ] = None,
    browser: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
) -> None:
    """Show exactly what would be sent; nothing is sent or stored."""
    session: Session = context.obj
    if (digest is None) == (article is None or channel is None):
        raise UsageError("preview wants ARTICLE --channel NAME, or --digest NAME")
    from syndicate.cli import previews

    store = session.ledger()
    try:
        shown = (
            previews.of_digest(session, store, *_edition(session, store, digest))
            if digest
            else previews.of_article(session, store, article or "", channel or "")
        )
    finally:
        store.close()
    if session.json:
        session.document(shown.document)
    elif output:
        try:
            output.write_text(previews.for_file(shown, output.suffix), encoding="utf-8")
        except OSError as error:
            raise UsageError(f"cannot write {output}: {(error.strerror or str(error)).lower()}") from error
        session.say(f"written: {output}")
    elif not browser:
        print(shown.text, file=sys.stdout)
    if browser:
        previews.in_browser(shown, session.settings.data)
    if shown.frozen:
        from syndicate.cli.objections import objections

        for remark in objections(session.settings, shown.frozen):
            session.say(f"{'PROBLEM' if remark.level == 'fail' else 'note'}: {remark.text}")


def _edition(session: Session, store: Store, name: str) -> tuple[DigestSettings, str | None]:
    """A digest by its name, or by the slug of an edition of it that waits."""
    from syndicate.store import holding

    for one in store.read_now(holding.waiting, None, name):
        return digest_named(session.settings, one.digest), one.slug
    return digest_named(session.settings, name), None


def digest_named(settings: Settings, name: str) -> DigestSettings:
    """The digest of that name. Raises UsageError."""
    for digest in settings.digests:
        if digest.name == name:
            return digest
    names = ", ".join(one.name for one in settings.digests)
    hint = f"configured are {names}" if names else "add a table [[digests]] to the configuration"
    raise UsageError(f"there is no digest {name!r}: {hint}")
