"""Choosing: which digests, a rest, or the end. The link is in every letter, and letters are passed on.

So the page shows neither address nor name, and its link makes nobody who left come back.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response

from syndicate.web import form, peer
from syndicate.web.form import Form
from syndicate.web.office import Choices, Office, Signup
from syndicate.web.place import GET_POST, Place
from syndicate.web.stage import Stage

NOBODY = 0  # whom the links of a test letter belong to
RESTS = {"week": timedelta(days=7), "month": timedelta(days=30), "quarter": timedelta(days=91)}
_ONE_CLICK = "List-Unsubscribe"


def routes(office: Office, stage: Stage) -> Sequence[Place]:
    """The places of this file."""
    pages = _Preferences(office, stage)
    return [Place(path="/preferences/{token}", door="token", endpoint=pages.preferences, methods=GET_POST)]


class _Preferences:
    """The endpoint, over one office."""

    def __init__(self, office: Office, stage: Stage) -> None:
        self._office = office
        self._stage = stage

    async def preferences(self, request: Request) -> Response:
        """Show what a person gets; on POST change it, or end it. A body that says neither changes nothing."""
        signup, person = self._office.signup, request.state.number
        if request.method != "POST":
            return await self._show(signup, person)
        try:
            sent = await form.read(request)
        except ValueError:  # a mail program's one click may come as multipart (RFC 8058 section 3.2)
            sent = Form([(_ONE_CLICK, "")] if _ONE_CLICK.encode() in await request.body() else [])
        if sent.all(_ONE_CLICK):
            await self._office.unsubscribe(person)
            return self._stage.page("left.html", subscribe=signup is not None and signup.is_open)
        if signup is None or sent.one("do") != "save":
            return await self._show(signup, person)
        return await self._save(request, signup, person, sent)

    async def _show(self, signup: Signup | None, person: int) -> Response:
        if signup is None:  # no digest is mailed any more: what is left to choose is the end
            return self._stage.page("leave.html", preferences=True)
        if person == NOBODY:
            found: Choices | None = Choices(digests=[offer.name for offer in signup.offers])
        else:
            found = await signup.choices(person)
        if found is None:
            return self._stage.page("gone.html", subscribe=signup.is_open)
        resting = found.paused_until if found.paused_until and found.paused_until > signup.now() else None
        return self._stage.page(
            "preferences.html", offers=signup.offers, chosen=found.digests, resting=_day(resting), test=person == NOBODY
        )

    async def _save(self, request: Request, signup: Signup, person: int, sent: Form) -> Response:
        chosen = [offer for offer in signup.offers if offer.name in sent.all("digest")]
        if person == NOBODY:
            return self._stage.page("saved.html", digests=chosen, resting="", test=True)
        before = await signup.choices(person)
        until = before.paused_until if before and sent.one("rest") == "keep" else None
        if sent.one("rest") in RESTS:
            until = signup.now() + RESTS[sent.one("rest")]
        told = {
            "from": f"{self._stage.public_url}/preferences",
            "ip": peer.address(request, self._office.web.trusted_proxies),
        }
        if not await signup.choose(person, Choices(digests=[offer.name for offer in chosen], paused_until=until), told):
            return self._stage.page("gone.html", subscribe=signup.is_open)
        return self._stage.page("saved.html", digests=chosen, resting=_day(until), test=False)


def _day(moment: datetime | None) -> str:
    return f"{moment.day} {moment:%B %Y}" if moment else ""
