"""What the tests of channels share: two ways to ask a server, without waiting between tries."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator

import pytest

from syndicate.fetch import Fetcher
from tests.doubles.clock import StillClock


@pytest.fixture
async def fetcher() -> AsyncIterator[Fetcher]:
    fetcher = Fetcher(StillClock(), random.Random(7), "syndicate/test")
    yield fetcher
    await fetcher.aclose()


@pytest.fixture
async def hasty() -> AsyncIterator[Fetcher]:
    """Gives up soon: for servers that never answer."""
    fetcher = Fetcher(StillClock(), random.Random(7), "syndicate/test", read=0.3, deadline=0.6)
    yield fetcher
    await fetcher.aclose()
