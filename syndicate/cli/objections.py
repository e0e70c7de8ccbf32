"""What is objected to in a letter before it leaves, for who looks at it on the command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from syndicate.config import Settings
    from syndicate.lint import Remark

_ONLY_PUBLIC = ("one-click", "link-private")  # matter only where links lead to the world


def objections(settings: Settings, payload: Mapping[str, Any]) -> list[Remark]:
    """The remarks on a frozen letter; without those that every site on its owner's machine would hear."""
    from syndicate.config import is_loopback_url
    from syndicate.lint import lint

    url, address = settings.web.public_url, settings.email.postal_address if settings.email else ""
    local = is_loopback_url(url)
    found = lint(payload, url, postal_address=address)
    return [remark for remark in found if not (local and remark.code in _ONLY_PUBLIC)]
