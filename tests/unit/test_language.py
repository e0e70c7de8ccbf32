"""Which way text runs."""

from __future__ import annotations

import pytest

from syndicate.language import direction


@pytest.mark.parametrize(
    ("language", "runs"),
    [
        ("en", "ltr"),
        ("ar", "rtl"),
        ("he-IL", "rtl"),
        ("fa_IR", "rtl"),
        ("AR", "rtl"),
        ("pa", "ltr"),
        ("pa-Arab-PK", "rtl"),
        ("ar-Latn", "ltr"),
        ("zh-Hant", "ltr"),
        ("", "ltr"),
    ],
)
def test_direction_follows_the_script_then_the_language(language: str, runs: str) -> None:
    assert direction(language) == runs
