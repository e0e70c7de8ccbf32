"""retract: what is shown first, what is asked, and what is said afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from syndicate.cli.session import Session

if TYPE_CHECKING:
    from syndicate.article import Article
    from syndicate.retract import Retraction
    from syndicate.store.retractions import Standing, Traces


def register(app: typer.Typer) -> None:
    app.command()(retract)


def retract(
    context: typer.Context,
    article: Annotated[str, typer.Argument(metavar="ARTICLE", help="Id, slug or path.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be taken back; change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Take back an article, as far as that can be done.

    It leaves the feeds and is rejected for good, what waits is cancelled, and its posts are deleted where that is
    allowed. What cannot be called back is said.
    """
    raise typer.Exit(context.obj.run(_retract(context.obj, article, dry_run=dry_run, yes=yes)))


async def _retract(session: Session, reference: str, *, dry_run: bool, yes: bool) -> int:
    from syndicate.app import keys, make_fetcher
    from syndicate.clock import system_chance
    from syndicate.desk import Desk
    from syndicate.publics import Parts, public_channels
    from syndicate.retract import retract, why_not
    from syndicate.store import articles, retractions

    settings, clock = session.settings, session.clock
    store = session.ledger()
    fetcher = make_fetcher(settings, clock, system_chance())
    parts = Parts(settings=settings, fetcher=fetcher, clock=clock, store=store, secrets=keys(settings).reading)
    channels = {one.name: one.channel for one in public_channels(parts)}
    try:
        article = await store.read(articles.find, reference)
        found = await store.read(retractions.traces, article.id)
        stays = {post.id: await why_not(post, channels.get(post.channel)) for post in found.posts}
        shown = list(_intended(article, found, stays))
        if dry_run:
            _show(session, article, found, stays, shown)
            return 0
        session.confirm("\n".join(shown), yes=yes, mails_people=False)
        if found.under_way:
            session.say("one is on the wire: waiting for it")
        done = await retract(
            article.id, settings, store, Desk(settings, tuple(settings.publics)), channels, clock, who=session.who
        )
    finally:
        for channel in channels.values():
            await channel.aclose()
        await fetcher.aclose()
        store.close()
    return _tell(session, article, done)


def _intended(article: Article, found: Traces, stays: Mapping[int, str | None]) -> Iterator[str]:
    from syndicate.retract import beyond_recall

    yield f"{article.path}: {article.title!r} leaves the feeds and is rejected for good"
    for one in found.open:
        yield f"{one.channel}: delivery {one.id} is cancelled ({one.state})"
    for post in found.posts:
        why = stays[post.id]
        yield f"{post.channel}: the post is deleted: {_where(post)}" if why is None else _stays(post, why)
    yield from beyond_recall(found)


def _where(post: Standing) -> str:
    return post.url or post.external_id or f"delivery {post.id}"


def _stays(post: Standing, why: str) -> str:
    there = f": delete it there: {post.url}" if post.url else f": {_where(post)}"
    return f"{post.channel}: the post stays, {why}{there}"


def _show(
    session: Session, article: Article, found: Traces, stays: Mapping[int, str | None], shown: Sequence[str]
) -> None:
    from syndicate.retract import beyond_recall

    for line in shown:
        session.result(line)
    if session.json:
        posts = [_post(post, stays[post.id], gone=False) for post in found.posts]
        cancelled = [one.id for one in found.open]
        session.document(_document(article, cancelled, posts, list(beyond_recall(found))))
    session.say("Nothing was changed.")


def _tell(session: Session, article: Article, done: Retraction) -> int:
    from syndicate.retract import PATIENCE, beyond_recall

    session.result(f"{article.path}: out of the feeds, rejected for good")
    if done.cancelled:
        session.result(f"deliveries cancelled: {len(done.cancelled)}")
    for post in done.posts:
        if post.why is None:
            session.result(f"{post.delivery.channel}: deleted: {_where(post.delivery)}")
        else:
            session.warn(_stays(post.delivery, post.why))
    lost = list(beyond_recall(done.traces))
    for one in done.traces.under_way:
        session.warn(f"{one.channel}: delivery {one.id} is on the wire since more than {PATIENCE:.0f} s")
    for line in lost:
        session.say(line)
    if not done.complete:
        session.warn(f"`syndicate retract {article.slug}` tries again what is left")
    if session.json:
        posts = [_post(post.delivery, post.why, gone=post.why is None) for post in done.posts]
        session.document(_document(article, done.cancelled, posts, lost))
    return 0 if done.complete else 1


def _post(post: Standing, why: str | None, *, gone: bool) -> dict[str, Any]:
    return {
        "delivery": post.id, "channel": post.channel, "external_id": post.external_id, "url": post.url,
        "deleted": gone, "error": why,
    }  # fmt: skip


def _document(
    article: Article, cancelled: Sequence[int], posts: Sequence[Mapping[str, Any]], lost: Sequence[str]
) -> dict[str, Any]:
    return {
        "article": article.id, "verdict": "rejected", "cancelled": list(cancelled), "posts": list(posts),
        "cannot_be_recalled": list(lost),
    }  # fmt: skip
