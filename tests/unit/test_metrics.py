"""The page of numbers: read back with the reader of Prometheus' own library."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from syndicate.metrics import Counted, exposition

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
COUNTS: dict[str, Any] = {
    "articles": {"ready": 3, "held": 1}, "deliveries": {"linkedin": {"sent": 2}, "email": {"failed": 1}},
    "letters": {"sent": 1_000_000}, "subscribers": {}, "editions": 4, "paused": {"weekly": "x", 'a"\n\\b': ""},
    "oldest_due_seconds": None,
}  # fmt: skip


def numbers(**more: Any) -> dict[tuple[str, ...], float]:
    """(name, label values in the order of their names) -> number."""
    given: dict[str, Any] = {
        "version": "1.2", "now": NOON, "counts": COUNTS, "problems": ["paused:weekly"], "attempts": 7,
        "leases": {("run", "quay"): NOON + timedelta(seconds=12)}, "scanned": {"articles": NOON, "new": None},
        "sent": {"linkedin": NOON - timedelta(days=1), "email": None}, "failing": {"mail": 3}, "writes": False,
    }  # fmt: skip
    page = exposition(Counted(**(given | more))).decode()
    return {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def test_every_number_is_there() -> None:
    assert numbers() == {
        ("syndicate_info", "1.2"): 1,
        ("syndicate_attempts_total",): 7,
        ("syndicate_articles", "ready"): 3,
        ("syndicate_articles", "held"): 1,
        ("syndicate_letters", "sent"): 1_000_000,
        ("syndicate_deliveries", "linkedin", "sent"): 2,
        ("syndicate_deliveries", "email", "failed"): 1,
        ("syndicate_editions",): 4,
        ("syndicate_problems",): 1,
        ("syndicate_problem", "paused:weekly"): 1,
        ("syndicate_paused", "weekly"): 1,
        ("syndicate_paused", 'a"\n\\b'): 1,
        ("syndicate_oldest_due_seconds",): 0,
        ("syndicate_loop_failures", "mail"): 3,
        ("syndicate_database_writable",): 0,
        ("syndicate_lease_seconds", "quay", "run"): 12,
        ("syndicate_source_scanned_timestamp_seconds", "articles"): NOON.timestamp(),
        ("syndicate_channel_sent_timestamp_seconds", "linkedin"): NOON.timestamp() - 86_400,
    }


def test_nothing_is_kept_from_one_call_to_the_next() -> None:
    numbers()
    assert ("syndicate_problem", "paused:weekly") not in numbers(problems=[])
