"""The newsroom's buttons, over the running program: each is what a command does, and is noted as the newsroom's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

from sqlalchemy import Connection

from syndicate import hand
from syndicate.errors import SyndicateError, UsageError
from syndicate.hand import Hand, Stale
from syndicate.logs import get
from syndicate.pipeline import App
from syndicate.store import articles, deliveries
from syndicate.web.office import Said, Wish

WHO = "newsroom"
EVERYTHING = "all"

log = get(__name__)


class ProgramHand:
    """Fulfils `syndicate.web.office.Hand`."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._hand = Hand(store=app.store, settings=app.settings, clock=app.clock, who=WHO, press=app.press)
        self._deeds: Mapping[str, Callable[[Wish], Awaitable[str]]] = {
            "approve": self._approve,
            "approve-quiet": self._approve,
            "approve-edition": self._approve_edition,
            "approve-rule": self._approve_rule,
            "reject": self._reject,
            "pause": self._pause,
            "resume": self._resume,
            "resolve-sent": self._delivery,
            "resolve-not-sent": self._delivery,
            "posted": self._delivery,
            "skip": self._delivery,
            "cancel": self._delivery,
            "retry": self._delivery,
        }

    def now(self) -> datetime:
        return self._app.clock.now()

    async def do(self, wish: Wish) -> Said:
        """What cannot be done is told, as the command would tell it."""
        deed = self._deeds[wish.act]
        try:
            text = await deed(wish)
        except Stale as stale:
            return Said(text=_sentence(str(stale)))
        except SyndicateError as error:
            return Said(text=_sentence(str(error)), good=False)
        log.info("done in the newsroom", act=wish.act, subjects=len(wish.subjects))
        return Said(text=_sentence(text))

    async def _approve(self, wish: Wish) -> str:
        quiet = wish.act == "approve-quiet"
        found = [await self._app.store.read(articles.find, one) for one in wish.subjects]
        seen = dict(zip([one.id for one in found], wish.seen, strict=False))
        await hand.approve(self._hand, [one.id for one in found], quiet=quiet, seen=seen)
        what = f"“{found[0].title}”" if len(found) == 1 else f"{len(found)} articles"
        return f"approved: {what}" + (" (into the feeds only)" if quiet else "")

    async def _reject(self, wish: Wish) -> str:
        if not wish.because:
            raise UsageError("say why it is rejected: the reason is kept with it")
        found = await self._app.store.read(articles.find, _one(wish))
        await hand.reject(self._hand, found.id, wish.because)
        return f"rejected: “{found.title}”"

    async def _approve_edition(self, wish: Wish) -> str:
        told = await hand.approve_edition(self._hand, _one(wish), _seen(wish))
        return f"{told.verdict}: {told.text}"

    async def _approve_rule(self, wish: Wish) -> str:
        """As many as were shown, else a person looks again: others came, or another tab was quicker."""
        rule = _one(wish)
        held = await self._app.store.read(hand.meant, rule)
        if _seen(wish) != str(len(held)):
            raise UsageError(f"{len(held)} are held by {rule} by now: look again, then decide")
        told = [await hand.approve_edition(self._hand, slug) for slug in held.editions]
        await hand.approve(self._hand, held.articles)
        count = len(held.articles)
        words = [f"approved: {count} {'article' if count == 1 else 'articles'}"] if count else []
        return "; ".join([*words, *(f"{one.edition}: {one.verdict}: {one.text}" for one in told)])

    async def _pause(self, wish: Wish) -> str:
        name, because = _name(wish), wish.because or "paused in the newsroom"
        stands = await self._app.store.write(hand.pause, self._app.settings, name, because, self.now())
        what = name or "everything"
        return f"{what} is paused" if stands == because else f"{what} is paused already: {stands}"

    async def _resume(self, wish: Wish) -> str:
        done = await self._app.store.write(hand.resume, self._app.settings, _name(wish), self.now())
        return f"goes on: {', '.join(done.ended)}" if done.ended else "nothing was paused"

    async def _delivery(self, wish: Wish) -> str:
        return await self._app.store.write(_settle, wish, self.now())


def _settle(connection: Connection, wish: Wish, now: datetime) -> str:
    delivery, seen = _delivery_of(connection, _one(wish)), _seen(wish)
    if wish.act == "retry":
        words = hand.retry(connection, delivery, WHO, now, seen)
    elif wish.act in ("skip", "cancel"):
        words = hand.cancel(connection, delivery, WHO, now, seen)
    else:
        url = None if wish.act == "resolve-not-sent" else wish.url
        if wish.act == "posted" and not url:
            raise UsageError("give the address of the post: open it there and copy it")
        words = hand.resolve(connection, delivery, url, WHO, now, seen)
    return f"“{deliveries.title_of(connection, delivery)}”: {words}"


def _delivery_of(connection: Connection, subject: str) -> int:
    """The number of a delivery, or of the open one of ARTICLE@CHANNEL. Raises UsageError."""
    article, at, channel = subject.rpartition("@")
    if at:
        return deliveries.owed_to(connection, channel, article)
    if not (subject.isascii() and subject.isdecimal() and len(subject) < 19):
        raise UsageError("there is no such delivery")
    return int(subject)


def _name(wish: Wish) -> str:
    name = _one(wish)
    return "" if name == EVERYTHING else name


def _one(wish: Wish) -> str:
    """What an act concerns that is about one thing. Raises UsageError."""
    if len(wish.subjects) != 1 or not wish.subjects[0]:
        raise UsageError("it does not say what is meant")
    return wish.subjects[0]


def _seen(wish: Wish) -> str:
    return wish.seen[0] if wish.seen else ""


def _sentence(text: str) -> str:
    """With a capital and a full stop, as a page says it."""
    return f"{text[:1].upper()}{text[1:]}" + ("" if text.endswith((".", "!", "?")) else ".")
