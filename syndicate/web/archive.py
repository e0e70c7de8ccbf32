"""The pages of past editions, and the link that stops one."""

from __future__ import annotations

from collections.abc import Sequence

from syndicate.web.office import Office
from syndicate.web.place import Place
from syndicate.web.stage import Stage


def routes(office: Office, stage: Stage) -> Sequence[Place]:
    """The places of this file."""
    return []
