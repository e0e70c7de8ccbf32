"""plan: catalogue, ledger, rules, now -> what goes out next. Pure decisions, written in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection

from syndicate import pacing
from syndicate.crashpoint import crashpoint
from syndicate.pacing import Choice, Decision, Pacing
from syndicate.store import ledger
from syndicate.store.database import Store


class Paced(Protocol):
    """A public channel and the rules of its pace."""

    @property
    def name(self) -> str: ...

    @property
    def pacing(self) -> Pacing: ...


async def plan(store: Store, channels: Sequence[Paced], now: datetime) -> int:
    """Give their moment to those whose turn it is; returns how many."""
    if not await store.read(_anything_open, channels):
        return 0
    return await store.write(_plan, channels, now)


def _anything_open(connection: Connection, channels: Sequence[Paced]) -> bool:
    return any(ledger.competes(connection, channel.name) for channel in channels)


def _plan(connection: Connection, channels: Sequence[Paced], now: datetime) -> int:
    planned = 0
    for channel in channels:
        ledger.lock(connection, channel.name)
        placed = ledger.placed(connection, channel.name)
        ledger.write_decisions(connection, pacing.withdraw(placed, channel.pacing, now))
        decisions = _decide(connection, channel, now)
        ledger.write_decisions(connection, [one for one in decisions if _is_news(one)])
        planned += sum(1 for one in decisions if one.choice is Choice.PLAN)
    crashpoint("plan.tx")
    return planned


def _is_news(decision: Decision) -> bool:
    """Why somebody waits is a matter of this moment: told when asked, not stored. Nor is what stands there already."""
    return decision.choice is not Choice.WAIT and decision.reason != decision.candidate.held


def _decide(connection: Connection, channel: Paced, now: datetime) -> list[Decision]:
    waiting = ledger.candidates(connection, channel.name)
    if not waiting:
        return []
    past = ledger.past(connection, channel.name, pacing.day_start(now, channel.pacing.zone))
    past = replace(past, recent=ledger.recent(connection, channel.name, now))
    return pacing.choose(waiting, past, channel.pacing, now)
