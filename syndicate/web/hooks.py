"""/hooks/postmark and /hooks/ses: what mail providers tell us. Only who proves himself is heard; what he says is stored
before he is answered. Never follows an address that a message names, but to the topic's owner at Amazon.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
from collections.abc import Sequence
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from syndicate import notices
from syndicate.bounces import Report
from syndicate.errors import DeliveryError, StoreError
from syndicate.logs import get
from syndicate.notices import Envelope
from syndicate.web.office import Hooks, Office
from syndicate.web.place import Endpoint, Judge, Place
from syndicate.web.stage import Stage

BODY = 256 * 1024  # bytes: SES repeats a letter's header
FRESH = timedelta(hours=1)  # how old a wish to be confirmed may be, and its clock off
CERTIFICATES = 4  # that are kept: there is one, and a new one a year

log = get(__name__)


def routes(office: Office, stage: Stage) -> Sequence[Place]:
    """The places of this file; each of them only where the owner configured it."""
    hooks = office.hooks
    if hooks is None:
        return []
    found = []
    if hooks.postmark_secret:
        postmark = _Postmark(hooks)
        found.append(_place("postmark", postmark.judge, postmark.take))
    if hooks.ses_topics:
        ses = _Ses(hooks)
        found.append(_place("ses", ses.judge, ses.take))
    return found


def _place(name: str, judge: Judge, take: Endpoint) -> Place:
    return Place(path=f"/hooks/{name}", door="signed", endpoint=take, methods=("POST",), body=BODY, judge=judge)


def _answer(status: int, text: str, **headers: str) -> Response:
    return PlainTextResponse(f"{text}\n", status, {"cache-control": "no-store", **headers})


async def _stored(hooks: Hooks, reports: Sequence[Report], raw: bytes) -> Response:
    """Stored, then answered: 503 makes them come again."""
    if reports:
        try:
            await hooks.take(reports, raw)
        except StoreError as error:
            log.warning("hook not stored", error=str(error))
            return _answer(503, "not now", **{"retry-after": "60"})
    return _answer(200, "thank you")


class _Postmark:
    """Postmark signs nothing: it knows a password, which the webhook's address holds."""

    def __init__(self, hooks: Hooks) -> None:
        self._hooks = hooks

    async def judge(self, request: Request) -> Response | None:
        given = _password(request.headers.get("authorization", ""))
        if hmac.compare_digest(given, self._hooks.postmark_secret.encode()):
            return None
        log.warning("hook refused", provider="postmark", because="another password than email.hooks.postmark_secret")
        challenge = {"www-authenticate": 'Basic realm="hooks", charset="UTF-8"'}
        return _answer(401, "the password of email.hooks.postmark_secret is asked for", **challenge)

    async def take(self, request: Request) -> Response:
        raw = await request.body()
        try:
            reports = notices.of_postmark(raw)
        except ValueError as error:
            return _answer(400, str(error))
        return await _stored(self._hooks, reports, raw)


def _password(header: str) -> bytes:
    """RFC 7617, whatever the name."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return b""
    try:
        return base64.b64decode(value, validate=True).partition(b":")[2]
    except ValueError:
        return b""


class _Ses:
    """SES speaks through a topic of SNS, which signs: "Verifying the signatures of Amazon SNS messages" of AWS."""

    def __init__(self, hooks: Hooks) -> None:
        self._hooks = hooks
        self._certificates: dict[str, bytes] = {}
        self._fetching = asyncio.Lock()

    async def judge(self, request: Request) -> Response | None:
        """The topic first: whoever has an account there can sign."""
        try:
            envelope = notices.envelope(await request.body())
        except ValueError as error:
            return self._refuse(str(error))
        if envelope.topic not in self._hooks.ses_topics:
            return self._refuse(f"{envelope.topic} is not in email.hooks.ses_topics")
        try:
            good = await self._is_signed(envelope)
        except (DeliveryError, OSError) as error:
            log.warning("hook not judged", provider="ses", error=str(error))
            return _answer(503, "the certificate cannot be read now", **{"retry-after": "60"})
        request.state.envelope = envelope
        return None if good else self._refuse("its signature is not good")

    def _refuse(self, why: str) -> Response:
        log.warning("hook refused", provider="ses", because=why)
        return _answer(403, "refused")

    async def _is_signed(self, envelope: Envelope) -> bool:
        from syndicate.sns import is_signed

        pem = self._certificates.get(envelope.certificate_url)
        if pem is None:
            async with self._fetching:  # one at a time: a flood of forged ones asks no flood of questions
                pem = await self._hooks.read(envelope.certificate_url)
            good = await asyncio.to_thread(is_signed, envelope, pem, self._hooks.now())
            if good:  # only what was of use is kept, and so nobody can push it out
                self._certificates[envelope.certificate_url] = pem
                while len(self._certificates) > CERTIFICATES:
                    del self._certificates[next(iter(self._certificates))]
            return good
        return await asyncio.to_thread(is_signed, envelope, pem, self._hooks.now())

    async def take(self, request: Request) -> Response:
        envelope: Envelope = request.state.envelope
        if envelope.kind == "Notification":
            return await _stored(self._hooks, notices.of_ses(envelope), await request.body())
        if envelope.kind == "SubscriptionConfirmation":
            return await self._confirm(envelope)
        log.warning("topic unsubscribed", topic=envelope.topic)
        return _answer(200, "noted")  # its SubscribeURL would take that back: a person's business

    async def _confirm(self, envelope: Envelope) -> Response:
        """Say yes to a topic that the owner named, once its wish was signed, and lately."""
        if abs(self._hooks.now() - envelope.at) > FRESH:
            return self._refuse("its wish to be confirmed is older than an hour: ask SNS for a new one")
        try:
            await self._hooks.read(envelope.subscribe_url)
        except DeliveryError as error:
            log.warning("topic not confirmed", topic=envelope.topic, error=str(error))
            return _answer(503, "not now", **{"retry-after": "60"})
        log.info("topic confirmed", topic=envelope.topic)
        return _answer(200, "confirmed")
