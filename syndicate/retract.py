"""retract: an article's posts -> channel.retract -> ledger. Takes back what can be taken back, and says what cannot.

The article is rejected for good and leaves the feeds before the world is touched. Everything here may be repeated: a
death leaves posts that stand still, and the next run deletes them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from syndicate.channels.base import Channel, Receipt
from syndicate.clock import Clock
from syndicate.config import Settings
from syndicate.crashpoint import crashpoint
from syndicate.desk import Desk
from syndicate.errors import DeliveryError, InDoubt, Unavailable
from syndicate.logs import get
from syndicate.publish import publish_if_changed
from syndicate.store import articles, retractions
from syndicate.store.database import Store
from syndicate.store.retractions import Standing, Traces

PATIENCE = 100.0  # seconds; a little more than the longest exchange of a post may take
LOOK = 0.2  # seconds between looks whether it is over

log = get(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """A post that was sent; `why` it is there still, None where it is not. `tried`: trying again may help."""

    delivery: Standing
    why: str | None = None
    tried: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Retraction:
    """What became of it."""

    cancelled: tuple[int, ...]  # deliveries
    posts: tuple[Post, ...]
    traces: Traces  # as they were at the end

    @property
    def complete(self) -> bool:
        """Whether nothing is left that another try might take back."""
        return not self.traces.under_way and not any(post.tried and post.why for post in self.posts)


async def retract(
    article: str,
    settings: Settings,
    store: Store,
    desk: Desk,
    channels: Mapping[str, Channel],
    clock: Clock,
    *,
    who: str = "a person",
) -> Retraction:
    """Take back an article, by its id: out of the feeds, what waits cancelled, its posts deleted where that is allowed.

    What is on the wire when this begins is waited for, so that it is taken back too.
    """
    cancelled = await store.write(_rule, desk, article, who, clock.now())
    crashpoint("retract.ruled")
    await publish_if_changed(store, settings)
    found = await _when_nothing_is_on_the_wire(article, store, clock)
    cancelled += await store.write(retractions.withdraw, article)  # claimed before, and given back since
    posts = [await _take_back(post, channels.get(post.channel), store, clock) for post in found.posts]
    traces = await store.read(retractions.traces, article)
    return Retraction(cancelled=tuple(sorted(set(cancelled))), posts=tuple(posts), traces=traces)


def _rule(connection: Connection, desk: Desk, article: str, who: str, now: datetime) -> list[int]:
    """After this commit nobody begins a post of it, on any machine."""
    articles.lock(connection)
    cancelled = retractions.withdraw(connection, article)
    desk.rule(connection, [article], "rejected", retractions.RETRACTED, now, who=who)
    return cancelled


async def _when_nothing_is_on_the_wire(article: str, store: Store, clock: Clock) -> Traces:
    end = clock.monotonic() + PATIENCE
    found = await store.read(retractions.traces, article)
    while found.under_way and clock.monotonic() < end:
        await clock.sleep(LOOK)
        found = await store.read(retractions.traces, article)
    return found


async def _take_back(post: Standing, channel: Channel | None, store: Store, clock: Clock) -> Post:
    why = await why_not(post, channel)
    if why is not None or channel is None:
        return Post(delivery=post, why=why)
    begun = clock.now()
    outcome = await _ask(channel, post)
    crashpoint("retract.accepted")
    done = isinstance(outcome, Receipt)
    await store.write(
        retractions.note, post.id, begun, clock.now(), status=outcome.status, answer=outcome.answer, done=done
    )
    tell = log.info if done else log.warning
    tell("retracted" if done else "not retracted", channel=post.channel, delivery=post.id, status=outcome.status)
    return Post(delivery=post, why=None if isinstance(outcome, Receipt) else _words(outcome), tried=True)


def _words(error: DeliveryError) -> str:
    todo = error.pauses if isinstance(error, Unavailable) else None
    return f"{error.reason}; {todo}" if todo else error.reason


async def _ask(channel: Channel, post: Standing) -> Receipt | DeliveryError:
    """Touch the world once."""
    try:
        return await channel.retract(post.external_id or post.url or "")
    except DeliveryError as error:
        return error
    except Exception as error:
        log.exception("unexpected", channel=post.channel, delivery=post.id)
        return InDoubt(f"{type(error).__name__}: {error}")


# --- words ------------------------------------------------------------------------------------------------------------


async def why_not(post: Standing, channel: Channel | None) -> str | None:
    """Why a post is not even tried to be deleted; None: it is."""
    if channel is None:
        return f"there is no channel {post.channel} in the configuration any more"
    if not channel.live:
        return f"{post.channel}.live is false: nothing leaves the machine"
    if channel.by_hand:
        return f"there is no {post.channel}.access_token to delete it with"
    if not (post.external_id or post.url):
        return "its address is not known"
    return await channel.unable()


def beyond_recall(traces: Traces) -> Iterator[str]:
    """What nobody can call back, or only a person, a sentence each."""
    for one in traces.unknown:
        yield (
            f"{one.channel}: nobody knows whether delivery {one.id} is there: look, delete it there, then"
            f" `syndicate deliveries resolve {one.id} --sent URL` or `--not-sent`"
        )
    for one in traces.letters:
        people = one.people or {}
        name = f"edition {one.edition}" if one.edition else f"delivery {one.id}"
        if out := people.get("sent", 0) + people.get("claimed", 0) + people.get("unknown", 0):
            yield f"email: {name} reached {out} people: letters cannot be called back"
            if one.edition:
                yield f"web: /editions/{one.edition} shows what they got, as it was sent"
        if one.edition and (due := people.get("due")):
            yield f"email: {name} holds it and goes to {due} more: `syndicate deliveries cancel {one.id}` stops it"
    yield "feeds: readers that have fetched it keep their copy"
