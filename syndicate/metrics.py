"""What `/metrics` says, in Prometheus' text format: a pure function of what was counted, without a memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """All that is told, counted at `now`."""

    version: str
    now: datetime
    counts: Mapping[str, Any]  # as `health.counts` makes it
    problems: Iterable[str]  # keys
    attempts: int  # sends begun, ever: posts, and groups of letters
    leases: Mapping[tuple[str, str], datetime]  # (what, host) -> end of the oldest lease
    scanned: Mapping[str, datetime | None] = field(default_factory=dict)  # source -> last whole look
    sent: Mapping[str, datetime | None] = field(default_factory=dict)  # channel -> last live sending
    failing: Mapping[str, int] = field(default_factory=dict)  # loop -> failures in a row
    writes: bool = True  # the database takes what is written


def exposition(counted: Counted) -> bytes:
    """The page. Loads prometheus_client."""
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry(auto_describe=False)  # its own: the library's global one lives as long as the process
    registry.register(_Collector(counted))
    return generate_latest(registry)


@dataclass(frozen=True, slots=True, eq=False)  # the registry looks it up by itself
class _Collector:
    counted: Counted

    def collect(self) -> Iterator[Metric]:
        from prometheus_client.metrics_core import CounterMetricFamily, InfoMetricFamily

        one = self.counted
        yield InfoMetricFamily("syndicate", "The program.", value={"version": one.version})
        yield CounterMetricFamily(
            "syndicate_attempts", "Sends begun: posts, and groups of letters.", value=one.attempts
        )
        yield from _counts(one.counts)
        yield from _health(one)
        yield from _moments(one)


def _counts(counts: Mapping[str, Any]) -> Iterator[Metric]:
    for name in ("articles", "letters", "subscribers"):
        yield _gauge(f"syndicate_{name}", f"{name.capitalize()} by state.", ("state",), _flat(counts[name]))
    owed = {
        (channel, state): count for channel, states in counts["deliveries"].items() for state, count in states.items()
    }
    yield _gauge("syndicate_deliveries", "Deliveries by channel and state.", ("channel", "state"), owed)
    yield _gauge("syndicate_editions", "Editions made.", (), {(): counts["editions"]})


def _health(one: Counted) -> Iterator[Metric]:
    keys = {(key,): 1 for key in one.problems}
    yield _gauge("syndicate_problems", "Problems that stand.", (), {(): len(keys)})
    yield _gauge("syndicate_problem", "1 for each problem that stands.", ("key",), keys)
    yield _gauge("syndicate_paused", "1 for what is paused.", ("name",), {(name,): 1 for name in one.counts["paused"]})
    oldest = one.counts["oldest_due_seconds"] or 0
    yield _gauge("syndicate_oldest_due_seconds", "How long the oldest thing that is due waits.", (), {(): oldest})
    failing = _flat(one.failing)
    yield _gauge("syndicate_loop_failures", "Failures in a row, of loops that fail.", ("loop",), failing)
    yield _gauge(
        "syndicate_database_writable", "1 while the database takes what is written.", (), {(): int(one.writes)}
    )


def _moments(one: Counted) -> Iterator[Metric]:
    left = {who: (until - one.now).total_seconds() for who, until in one.leases.items()}
    name = "syndicate_lease_seconds"
    yield _gauge(name, "Until the lease of a process ends; below 0 it is missed.", ("what", "host"), left)
    name = "syndicate_source_scanned_timestamp_seconds"
    yield _gauge(name, "When a source was last read whole.", ("source",), _timestamps(one.scanned))
    name = "syndicate_channel_sent_timestamp_seconds"
    yield _gauge(name, "When a channel last sent something live.", ("channel",), _timestamps(one.sent))


def _gauge(name: str, about: str, labels: tuple[str, ...], values: Mapping[Any, float]) -> Metric:
    """One number for each tuple of labels."""
    from prometheus_client.metrics_core import GaugeMetricFamily

    family = GaugeMetricFamily(name, about, labels=labels)
    for at, value in sorted(values.items()):
        family.add_metric(at, value)
    return family


def _flat(counts: Mapping[str, float]) -> dict[tuple[str, ...], float]:
    return {(name,): count for name, count in counts.items()}


def _timestamps(moments: Mapping[str, datetime | None]) -> dict[tuple[str, ...], float]:
    return {(name,): moment.timestamp() for name, moment in moments.items() if moment}
