"""The LinkedIn channel: one article, one post with a link card (Learn: community-management/shares/posts-api).

It tries once per call and never decides when to try again. The token is added at the last moment and stands in no
payload, message or log.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from syndicate.channels.base import Announcement, Payload, Receipt, Shown
from syndicate.channels.linkedin import answers, compose, images, page
from syndicate.channels.linkedin.wallet import Token, Wallet
from syndicate.clock import Clock
from syndicate.errors import ConfigError, PictureRefused, Refused, Unavailable
from syndicate.fetch import Answer, Fetcher
from syndicate.picture import Picture

if TYPE_CHECKING:
    from syndicate.config import LinkedInSettings, Site

__all__ = ["LinkedIn"]

CONFLICT_PAUSE = 1.0  # seconds


class LinkedIn:
    """Posts as one member or organisation. The fetcher is shared and closed by its owner."""

    name = "linkedin"

    def __init__(
        self,
        settings: LinkedInSettings,
        site: Site,
        fetcher: Fetcher,
        clock: Clock,
        live: bool,
        *,
        templates: Path | None = None,
        wallet: Wallet | None = None,
        pictures: images.Getter | None = None,
    ) -> None:
        """Without a wallet it has the token of the configuration alone; without `pictures` its cards have none."""
        self.live = live
        self._settings = settings
        self._site = site
        self._fetcher = fetcher
        self._clock = clock
        self._templates = templates
        self._wallet = wallet or Wallet(settings, fetcher, clock)
        self._pictures = pictures
        self._unready: set[str] = set()  # keys of posts that LinkedIn put off because of their picture
        self._bare: dict[str, str] = {}  # keys of posts that were sent without their picture, and why
        self._template: compose.PostTemplate | None = None

    @property
    def by_hand(self) -> bool:
        """Whether a person posts what we compose: there is no token and no app to get one with."""
        return not self._settings.access_token and not self._settings.client_id

    async def unable(self) -> str | None:
        """What the token's scopes do not cover."""
        return None if self.by_hand else await self._wallet.unable()

    def compose(self, announcement: Announcement) -> Payload:
        """Make the frozen request. Raises Unavailable where the author or the owner's template must be mended first."""
        author = self._settings.author
        if not author:
            if self.live and self._settings.access_token:
                raise _author_is_missing()
            author = compose.REHEARSAL_AUTHOR  # whoever is logged in when it is sent
        try:
            if self._template is None:
                self._template = compose.load_template(self._templates, self._settings.template)
            return compose.compose(
                announcement,
                template=self._template,
                site=self._site,
                author=author,
                api_url=self._settings.api_url,
                version=self._settings.version,
            )
        except ConfigError as exc:
            raise Unavailable(f"the post cannot be written: {exc}", pauses=f"mend {exc}") from exc

    async def prepare(self, key: str, payload: Payload) -> Payload:
        """Give the card its picture: read, fitted and uploaded once, in rehearsal all but uploaded.

        What goes wrong with a picture is noted in the payload. Raises Unavailable where an answer concerns the channel.
        """
        now = self._clock.now()
        if key in self._unready and images.is_overdue(payload, now):
            self._unready.discard(key)
            return images.without(payload, "LinkedIn did not get it ready in time", settled=self.live)
        if self._pictures is None:
            return payload

        async def upload(picture: Picture) -> str:
            return await self._upload(picture, payload)

        return await images.prepare(payload, self._pictures, self._site.image, upload if self.live else None, now)

    async def send(self, key: str, payload: Payload) -> Receipt:
        """Post, once more without its picture where LinkedIn does not take it. Raises Refused, Unavailable, InDoubt."""
        self._bare.pop(key, None)
        try:
            return await self._judged(payload, answers.judge)
        except PictureRefused as refusal:  # nothing was created
            self._bare[key] = refusal.reason
            return await self._judged(images.without(payload, refusal.reason), answers.judge)
        except Unavailable as error:
            if answers.is_unready(error):
                self._unready.add(key)
            raise

    async def reconcile(self, key: str, payload: Payload) -> Receipt:
        """Repeat a doubtful post to the byte: LinkedIn answers with the first one's URN, or creates it now.

        Raises InDoubt when that does not tell, Unavailable when the repeat was not accepted; in both the first attempt
        stays as doubtful as it was. Without its picture it is repeated only where we know that it was sent so.
        """
        if reason := self._bare.get(key):
            payload = images.without(payload, reason)
        return await self._judged(payload, answers.judge_repeat)

    async def retract(self, external_id: str) -> Receipt:
        """Delete a post (Learn: shares/posts-api, "Delete Posts"); `external_id` is its URN, or its address with one.

        Raises Refused where that names no post or LinkedIn refuses, Unavailable where it may work later.
        """
        urn = answers.post_in(external_id)
        if urn is None:
            raise Refused(f"{external_id!r} names no post of LinkedIn")
        if not self.live:
            raise Unavailable("linkedin.live is false: nothing leaves the machine")
        token = await self._wallet.token()
        answer = await self._fetcher.request(
            "DELETE",
            f"{self._settings.api_url}/rest/posts/{quote(urn, safe='')}",
            headers=self._headers({"X-Restli-Protocol-Version": "2.0.0", "X-RestLi-Method": "DELETE"}, token),
            repeatable=True,
        )
        return answers.judge_deletion(answer, **self._known(token))

    def preview(self, payload: Payload) -> Shown:
        """The post as LinkedIn would show it."""
        return page.show(payload)

    async def aclose(self) -> None:
        """Nothing is held here."""

    async def _judged(self, payload: Payload, judge: Callable[..., Receipt]) -> Receipt:
        answer, token = await self._post(payload)
        receipt = judge(answer, **self._known(token))
        note = payload.get("note", "")
        return replace(receipt, answer=f"{note} {receipt.answer}".strip()) if note else receipt

    async def _upload(self, picture: Picture, payload: Payload) -> str:
        token = await self._wallet.token()

        def concerns_us(answer: Answer) -> None:
            answers.judge(answer, **self._known(token))

        return await images.upload(
            self._fetcher,
            picture,
            owner=json.loads(self._body(payload, token))["author"],
            headers=self._headers(payload["headers"], token),
            hosts=(self._settings.api_url, self._settings.auth_url),
            judge=concerns_us,
        )

    async def _post(self, payload: Payload) -> tuple[Answer, Token]:
        if not self.live:
            raise Unavailable("linkedin.live is false: nothing leaves the machine")
        if payload.get("v") not in compose.UNDERSTOOD:
            raise Unavailable(f"this post was composed by another version of syndicate (payload {payload.get('v')!r})")
        token = await self._wallet.token()
        # Address and API version as configured now, not as frozen: a retired version is mended in the configuration,
        # and a token goes to no host that a stored row names. Only the body makes a post the same.
        headers, body = self._headers(payload["headers"], token), self._body(payload, token)
        answer = await self._create(headers, body)
        if answers.is_write_conflict(answer):
            await self._clock.sleep(CONFLICT_PAUSE)
            answer = await self._create(headers, body)
        return answer, token

    async def _create(self, headers: Mapping[str, str], body: bytes) -> Answer:
        url = f"{self._settings.api_url}/rest/posts"
        return await self._fetcher.request("POST", url, headers=headers, content=body, repeatable=False)

    def _known(self, token: Token) -> dict[str, Any]:
        """What judging an answer needs."""
        now, chance = self._clock.now(), self._fetcher.chance
        return {"token": token.text, "now": now, "chance": chance, "cure": token.cure, "fresh": token.fresh}

    def _headers(self, frozen: Mapping[str, str], token: Token) -> dict[str, str]:
        return {**frozen, "Linkedin-Version": self._settings.version, "Authorization": f"Bearer {token.text}"}

    def _body(self, payload: Payload, token: Token) -> bytes:
        body: str = payload["body"]
        placeholder = f'"author": "{compose.REHEARSAL_AUTHOR}"'
        if placeholder in body[: len(placeholder) + 1]:  # composed while nobody could say who posts
            author = self._settings.author or token.author
            if not author:
                raise _author_is_missing()
            body = body.replace(placeholder, f'"author": "{author}"', 1)
        return body.encode("utf-8")


def _author_is_missing() -> Unavailable:
    return Unavailable(
        "linkedin.author is empty",
        pauses="set linkedin.author to who posts, like urn:li:person:abcd1234 or urn:li:organization:1234",
    )
