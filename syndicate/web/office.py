"""What the pages need from the rest of the program. Names it, never implements it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from syndicate.config import FeedSettings, Site, WebSettings


class Reader(Protocol):
    """Reads the tokens of links; `syndicate.subscriber.Signer` is one."""

    def read(self, purpose: str, token: str) -> int | None:
        """The subscriber's number, or None for a token that is not ours or was made for another purpose."""
        ...


class Office(Protocol):
    """The program as seen from the web. Whatever a method raises becomes an error page and a line in the log."""

    @property
    def site(self) -> Site: ...

    @property
    def web(self) -> WebSettings: ...

    @property
    def feeds(self) -> FeedSettings: ...

    @property
    def feed_folder(self) -> Path:
        """Where the feeds' files stand, whoever writes them."""
        ...

    @property
    def templates(self) -> Path | None:
        """The owner's templates; those in its folder `web` win over ours, file by file."""
        ...

    @property
    def signer(self) -> Reader: ...

    async def unsubscribe(self, subscriber: int) -> bool:
        """End all mail to this person; true when that changed something. Returns after the commit, never before.

        Numbers of nobody (a test letter's, an erased person's) change nothing.
        """
        ...

    async def health(self) -> Mapping[str, object]:
        """What `/healthz` shows to everybody: JSON-able, without secrets.

        `ok`: no problem stands. `works`: the program does its work, as far as it does not wait for a person.
        """
        ...

    async def ready(self) -> bool:
        """Whether requests can be served in full: the database answers and takes what is written."""
        ...

    async def metrics(self) -> bytes:
        """What `/metrics` shows to those who may see it: Prometheus' text format."""
        ...
