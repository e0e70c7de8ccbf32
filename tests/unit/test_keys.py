"""Which secret is for what, once there is more than one."""

from __future__ import annotations

from pathlib import Path

import pytest

from syndicate.app import agreement, keys
from syndicate.config import Secret, Settings
from syndicate.errors import SyndicateError

FIRST, SECOND, THIRD = "the secret of 2025", "the secret of 2026", "the secret of 2027"


def settings(folder: Path, newest: str, *old: str) -> Settings:
    return Settings.model_validate(
        {
            "site": {"title": "T", "url": "https://t.example"},
            "sources": [{"path": str(folder)}],
            "data": folder / "var",
            "secret": Secret(newest),
            "secrets_old": [Secret(one) for one in old],
        }
    )


def test_the_newest_signs_the_oldest_lasts_and_all_are_read_with(tmp_path: Path) -> None:
    ring = keys(settings(tmp_path, THIRD, SECOND, FIRST))
    assert ring.reading == (THIRD.encode(), SECOND.encode(), FIRST.encode())
    assert (ring.signing, ring.lasting) == (THIRD.encode(), FIRST.encode())
    alone = keys(settings(tmp_path, FIRST))
    assert (alone.signing, alone.lasting) == (FIRST.encode(), FIRST.encode())


def test_a_secret_that_is_made_by_itself_is_the_newest_and_made_once(tmp_path: Path) -> None:
    ring = keys(settings(tmp_path, "", FIRST))
    assert ring == keys(settings(tmp_path, "", FIRST))
    assert (len(ring.signing), ring.lasting) == (64, FIRST.encode())
    assert ring.signing == (tmp_path / "var" / "secret").read_bytes()


@pytest.mark.parametrize("content", [b"", b" \n", b"half of it"])
def test_a_damaged_secret_is_named_and_nothing_is_put_in_its_place(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "var" / "secret"
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(SyndicateError, match=r"the secret in .*secret is damaged: put it back"):
        keys(settings(tmp_path, ""))
    assert path.read_bytes() == content


def test_machines_with_other_secrets_or_another_order_of_them_do_not_agree(tmp_path: Path) -> None:
    rings = [(FIRST,), (SECOND,), (SECOND, FIRST), (FIRST, SECOND), (THIRD, SECOND, FIRST), (THIRD, FIRST)]
    told = []
    for ring in rings:
        found = settings(tmp_path, *ring)
        told.append(agreement(found, keys(found)))
    assert len(set(told)) == len(rings)
    assert not any(secret in text for text in told for secret in (FIRST, SECOND, THIRD))
