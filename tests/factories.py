"""Values for tests, with sensible defaults: say only what the test is about."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from syndicate.article import Article, Manuscript, State

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)

_OF_MANUSCRIPT = frozenset(Manuscript.__dataclass_fields__) - {"slug"}


def make_manuscript(**overrides: Any) -> Manuscript:
    """What a well-behaved file says."""
    fields: dict[str, Any] = {
        "title": "The lighthouse keeper retires",
        "subtitle": "Forty years above the harbour",
        "description": "After forty years the keeper hands over the keys.",
        "authors": ("Ada Lindqvist",),
        "tags": ("harbour", "people"),
        "slug": "lighthouse-keeper",
        "published": "2026-11-23",
        "created": "2026-11-23",
        "words": 8,
        "body": "The lamp was lit **every** evening.\n\nNow it is somebody else's turn.\n",
    }
    return Manuscript(**(fields | overrides))


def make_article(**overrides: Any) -> Article:
    """A ready article; fields of its manuscript (title, body, tags ...) may be given beside its own."""
    said = {name: overrides.pop(name) for name in list(overrides) if name in _OF_MANUSCRIPT}
    slug = overrides.get("slug", "lighthouse-keeper")
    released = overrides.get("released", NOON)
    fields: dict[str, Any] = {
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, slug)),
        "source": "articles",
        "path": f"{slug}.md",
        "slug": slug,
        "url": f"https://example.org/{slug}/",
        "manuscript": overrides.pop("manuscript", None) or make_manuscript(slug=slug, **said),
        "state": State.READY,
        "first_seen": released or NOON,
        "updated": released or NOON,
        "released": released,
        "entered": released,
    }
    return Article(**(fields | overrides))
