"""Signing up: the form, and the button behind the link of the confirmation mail.

Whoever asks is answered the same, whether the address is new, known, or must get no mail. A form that a person did not
just fill in here (pasted into another site, kept for a day, sent by a program) is shown once more, with a button.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from syndicate.prose import one_line
from syndicate.store.confirmations import Step
from syndicate.subscriber import Address, parse_address
from syndicate.web import form, peer
from syndicate.web.form import Form
from syndicate.web.office import Office, Signup
from syndicate.web.place import GET_POST, Place
from syndicate.web.stage import Stage

QUICKEST, OLDEST = timedelta(seconds=2), timedelta(days=1)  # a person takes that long over the form
TRAP = "homepage"  # a field that people do not see, and programs fill in
ROLES = frozenset(("abuse", "postmaster", "mailer-daemon", "noreply", "no-reply"))  # who asks for them is no reader
RETRY = "3600"  # seconds
KEPT_NOWHERE = {"cache-control": "no-store"}  # it holds an address


def routes(office: Office, stage: Stage) -> Sequence[Place]:
    """The places of this file."""
    pages = _Signup(office, stage)
    return [
        Place(path="/subscribe", door="open", endpoint=pages.subscribe, methods=GET_POST),
        Place(path="/confirm/{token}", door="token", endpoint=pages.confirm, methods=GET_POST),
    ]


class _Signup:
    """The endpoints, over one office."""

    def __init__(self, office: Office, stage: Stage) -> None:
        self._office = office
        self._stage = stage
        self._proxies = office.web.trusted_proxies
        title = office.site.title
        self._promise = (
            f"{title} uses your address for these letters and for nothing else. Every letter has a link that ends it."
        )

    # The form

    async def subscribe(self, request: Request) -> Response:
        signup = self._open()
        if not signup.is_open:
            return self._stage.page("soon.html")
        if request.method != "POST":
            return self._form(signup, Form())
        try:
            sent = await form.read(request)
        except ValueError:
            return self._form(signup, Form(), notice="We could not read that. Please fill it in once more.", status=400)
        if sent.one(TRAP):
            return self._asked(signup, sent.one("email"))
        came = self._came(request, sent)
        address, wrong = _address(sent)
        digests = _chosen(sent, signup)
        if address is None or not digests:
            return self._form(signup, sent, came=came, wrong=wrong, none_chosen=not digests, status=422)
        if not self._is_fresh(sent.one("stamp"), signup):
            return self._form(signup, sent, came=came, notice="One more press, so that we know it is you.")
        return await self._ask(request, signup, address, digests, came)

    async def _ask(
        self, request: Request, signup: Signup, address: Address, digests: Sequence[str], came: str
    ) -> Response:
        if address.key.partition("@")[0] not in ROLES:
            ip, network = peer.address(request, self._proxies), peer.network(request, self._proxies)
            told = {"from": self._stood(came), "ip": ip, "shown": self._promise}
            if not await signup.ask(address, digests, told, network):
                return self._stage.page("later.html", status=429, headers={"retry-after": RETRY})
        return self._asked(signup, address.email)

    def _asked(self, signup: Signup, email: str) -> Response:
        return self._stage.page("asked.html", email=email[:254], rehearsal=signup.is_rehearsal, headers=KEPT_NOWHERE)

    def _form(
        self,
        signup: Signup,
        sent: Form,
        *,
        came: str = "",
        wrong: str = "",
        none_chosen: bool = False,
        notice: str = "",
        status: int = 200,
    ) -> Response:
        stamp = self._office.signer.token("form", int(signup.now().timestamp()))
        return self._stage.page(
            "subscribe.html", status=status, offers=signup.offers, email=sent.one("email")[:254], wrong=wrong,
            chosen=sent.all("digest"), none_chosen=none_chosen, notice=notice, promise=self._promise, stamp=stamp,
            trap=TRAP, came=came, headers=KEPT_NOWHERE,
        )  # fmt: skip

    def _is_fresh(self, stamp: str, signup: Signup) -> bool:
        made = self._office.signer.read("form", stamp)
        age = timedelta(seconds=signup.now().timestamp() - made) if made is not None else timedelta(0)
        return QUICKEST <= age <= OLDEST

    def _came(self, request: Request, sent: Form) -> str:
        """The owner's own site, where the form was pasted; "" for our page. Kept on the way through ours."""
        origin = request.headers.get("origin", "null")
        ours = origin == "null" or f"{self._stage.public_url}/".startswith(f"{origin}/")
        return one_line(sent.one("came") if ours else origin)[:100]

    def _stood(self, came: str) -> str:
        return f"a form at {came}" if came else f"{self._stage.public_url}/subscribe"

    def _open(self) -> Signup:
        if self._office.signup is None:
            raise HTTPException(404)
        return self._office.signup

    # The button

    async def confirm(self, request: Request) -> Response:
        """Show the button; on POST confirm. Nothing presses it by itself: scanners run scripts."""
        signup, number = self._open(), request.state.number
        if request.method != "POST":
            link = await signup.look(number)
            if link is not None and link.step is Step.OPEN:
                names = {offer.name: offer for offer in signup.offers}
                wanted = [names[name] for name in link.digests if name in names]
                return self._stage.page("confirm.html", digests=wanted if len(names) > 1 else [])
            return self._told(link.step if link else None, signup)
        await request.body()
        told = {"from": f"{self._stage.public_url}/confirm", "ip": peer.address(request, self._proxies)}
        return self._told(await signup.confirm(number, told), signup)

    def _told(self, step: Step | None, signup: Signup) -> Response:
        if step is None:
            raise HTTPException(404)
        if step is Step.STALE:
            return self._stage.page("stale.html", subscribe=signup.is_open)
        return self._stage.page("confirmed.html", again=step is Step.AGAIN)


def _address(sent: Form) -> tuple[Address | None, str]:
    """The address in a form, or what is wrong with it."""
    text = sent.one("email").strip()
    if not text:
        return None, "Please type your mail address."
    try:
        return parse_address(text), ""
    except ValueError:
        return (
            None,
            "This is no mail address that we can write to. Is there a slip in it? It looks like name@example.org.",
        )


def _chosen(sent: Form, signup: Signup) -> list[str]:
    """The digests chosen; where there is one only, nobody is asked."""
    names = [offer.name for offer in signup.offers]
    return names if len(names) == 1 else [name for name in names if name in sent.all("digest")]
