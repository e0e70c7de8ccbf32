"""The newsroom's buttons: a form -> what the program did -> back to the page, which says so.

What is said comes back in the address, signed for this session and for a minute: nobody else can have a page say
anything. Who may press a button is the door's to know.
"""

from __future__ import annotations

import base64
import hmac
import json
import re
from collections.abc import Sequence
from datetime import timedelta

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from syndicate.prose import one_line
from syndicate.web.form import Form
from syndicate.web.office import Office, Said, Wish
from syndicate.web.place import Place
from syndicate.web.stage import Stage

FRESH = timedelta(minutes=1)  # in which a page still says what was done: a kept address says nothing
LONGEST_SAID = 600  # characters
LONGEST_REASON = 500
_BACK = re.compile(r"[a-z]+(?:/[\w-][\w.-]*)*")


def routes(office: Office, stage: Stage) -> Sequence[Place]:
    """The places of this file."""
    return [Place(path="/newsroom/act", door="session", endpoint=_Acts(office, stage).act, methods=("POST",))]


class _Acts:
    def __init__(self, office: Office, stage: Stage) -> None:
        self._office = office
        self._stage = stage

    async def act(self, request: Request) -> Response:
        """Do what the button says; the browser is sent on, so that a reload does not press it again."""
        form: Form = request.state.form
        try:
            said = await self._office.hand.do(_wish(form))
        except KeyError:
            raise HTTPException(400) from None
        if self._office.newsroom is not None:
            self._office.newsroom.forget()
        back = form.one("back")
        page = back if _BACK.fullmatch(back) else ""
        address = f"{self._stage.root}/newsroom/{page}?said={_signed(self._office, request, said)}"
        return RedirectResponse(address, 303)


def said(office: Office, request: Request) -> Said | None:
    """What a page has to say of the button that led to it, for a page behind the door "session"."""
    packed, _, mark = request.query_params.get("said", "").partition(".")
    if not packed or not hmac.compare_digest(mark.encode(), _mark(office, request, packed).encode()):
        return None
    at, good, text = json.loads(base64.urlsafe_b64decode(packed))
    age = office.hand.now().timestamp() - at
    return Said(text=text, good=good) if abs(age) <= FRESH.total_seconds() else None


def _signed(office: Office, request: Request, what: Said) -> str:
    text = what.text if len(what.text) <= LONGEST_SAID else f"{what.text[: LONGEST_SAID - 1]}…"
    content = json.dumps([int(office.hand.now().timestamp()), what.good, text]).encode()
    packed = base64.urlsafe_b64encode(content).decode()
    return f"{packed}.{_mark(office, request, packed)}"


def _mark(office: Office, request: Request, packed: str) -> str:
    return office.logins.mac(f"said\n{request.state.csrf}\n{packed}")


def _wish(form: Form) -> Wish:
    return Wish(
        act=form.one("act"),
        subjects=form.all("subject"),
        seen=form.all("seen"),
        because=one_line(form.one("because"))[:LONGEST_REASON],
        url=form.one("url").strip()[:2000],
    )
