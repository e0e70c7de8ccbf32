"""Logging in over a real ledger: what one process does counts on the other, and tries are counted before they are."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from syndicate import password
from syndicate.config import Secret, WebSettings
from syndicate.signer import Signer
from syndicate.store import sessions
from syndicate.store.database import Store
from syndicate.store.schema import limits
from syndicate.store.schema import sessions as rows
from syndicate.web.app import build
from syndicate.web.login_program import FROM_ONE_NETWORK, IN_ALL, ProgramLogins
from tests.doubles.clock import TwoClocks
from tests.doubles.office import SmallOffice
from tests.store.conftest import Database
from tests.store.rows import SECRET

WORD = "four words will do"
HASH = password.hashed(WORD, bytes(16))
OTHER = password.hashed("another four words", bytes(16))
HOME = "http://127.0.0.1:8080"
STRANGER = "203.0.113.7"
HOUR = 3600

Browser = Callable[..., Any]


@pytest.fixture
def browser(clock: TwoClocks, tmp_path: Path) -> Browser:
    @asynccontextmanager
    async def open_one(
        store: Store, peer: str = STRANGER, secrets: tuple[bytes, ...] = (SECRET,), **web: Any
    ) -> AsyncIterator[httpx.AsyncClient]:
        settings = WebSettings(**web)
        logins: Any = ProgramLogins(settings, store, clock, Signer(*secrets))
        app = build(SmallOffice(feed_folder=tmp_path, web=settings, logins=logins))
        transport = httpx.ASGITransport(app, client=(peer, 4711))
        async with httpx.AsyncClient(transport=transport, base_url=HOME) as client:
            yield client

    return open_one


async def log_in(client: httpx.AsyncClient, typed: str = WORD) -> int:
    answer = await client.post("/newsroom/login", data={"password": typed}, headers={"origin": HOME})
    return answer.status_code


async def is_inside(client: httpx.AsyncClient) -> bool:
    return (await client.get("/metrics")).status_code == 200


async def test_a_login_holds_on_every_process_until_another_password_is_set(
    database: Database, clock: TwoClocks, browser: Browser
) -> None:
    one, other = database.open(), database.open()
    one.write_now(sessions.set_password, HASH)
    async with browser(one) as client, browser(other, STRANGER) as elsewhere:
        assert not await is_inside(client)
        assert await log_in(client) == 303
        elsewhere.cookies.update(client.cookies)
        assert await is_inside(elsewhere)
        one.write_now(sessions.set_password, OTHER)
        clock.pass_by(1)
        assert not await is_inside(client)
        assert not await is_inside(elsewhere)
        assert await log_in(elsewhere) == 403
        assert await log_in(elsewhere, "another four words") == 303


async def test_a_password_changed_in_the_configuration_ends_sessions_too(store: Store, browser: Browser) -> None:
    async with browser(store, password=Secret(HASH)) as client, browser(store, password=Secret(OTHER)) as anew:
        await log_in(client)
        assert await is_inside(client)
        anew.cookies.update(client.cookies)
        assert not await is_inside(anew)


async def test_of_the_cookie_only_a_hash_is_kept_and_each_login_has_a_new_one(store: Store, browser: Browser) -> None:
    store.write_now(sessions.set_password, HASH)
    async with browser(store) as client:
        client.cookies.set("syndicate", "one that somebody planted")
        await log_in(client)
        cookie = next(one.value for one in client.cookies.jar if one.value and "planted" not in one.value)
        found = store.read_now(lambda connection: connection.scalars(select(rows.c.id)).all())
        assert found == [hashlib.sha256(cookie.encode()).hexdigest()]
        await log_in(client)
        assert len(store.read_now(lambda connection: connection.scalars(select(rows.c.id)).all())) == 1


async def test_a_change_of_the_secret_ends_no_session_and_forgets_no_try(
    database: Database, clock: TwoClocks, browser: Browser
) -> None:
    store = database.open()
    store.write_now(sessions.set_password, HASH)
    newer = b"the secret of a year later"
    async with (
        browser(store) as client,
        browser(store, secrets=(newer, SECRET)) as later,
        browser(store, secrets=(newer,)) as bare,
    ):
        assert await log_in(client) == 303
        for one in (later, bare):
            one.cookies.update(client.cookies)
        assert await is_inside(later)
        assert not await is_inside(bare)
        guesses = [await log_in(client, f"guess {n}") for n in range(FROM_ONE_NETWORK)]
        assert guesses == [403] * FROM_ONE_NETWORK
        assert await log_in(later) == 429
        assert await log_in(bare) == 303


async def test_a_session_ends_idle_or_old_and_is_noted_as_used_once_a_minute(
    store: Store, clock: TwoClocks, browser: Browser
) -> None:
    store.write_now(sessions.set_password, HASH)

    def seen_at() -> Any:
        return store.read_now(lambda connection: connection.scalar(select(rows.c.seen_at)))

    async with browser(store) as client:
        await log_in(client)
        before = seen_at()
        clock.pass_by(59)
        assert await is_inside(client)
        assert seen_at() == before
        for _ in range(70):  # three weeks and more, never idle for half a day
            clock.pass_by(10 * HOUR)
            assert await is_inside(client)
        assert seen_at() == clock.now()
        clock.pass_by(34 * HOUR)
        assert not await is_inside(client)
        await log_in(client)
        for _ in range(71):
            clock.pass_by(10 * HOUR)
            await is_inside(client)
        assert await is_inside(client)
        clock.pass_by(10 * HOUR)
        assert not await is_inside(client)


async def test_of_fifty_wrong_passwords_at_once_five_are_looked_at_also_after_a_restart(
    database: Database, clock: TwoClocks, browser: Browser
) -> None:
    one, other = database.open(), database.open()
    one.write_now(sessions.set_password, HASH)
    async with browser(one) as client, browser(other) as restarted:
        answers = await asyncio.gather(
            *(log_in(one_of, f"guess {n}") for n in range(25) for one_of in (client, restarted))
        )
        assert sorted(answers) == [403] * FROM_ONE_NETWORK + [429] * (50 - FROM_ONE_NETWORK)
        assert await log_in(restarted) == 429
    async with browser(one, "198.51.100.9") as owner:  # his network is another
        for _ in range(FROM_ONE_NETWORK + 1):
            assert await log_in(owner) == 303, "who knows it is not counted"
    clock.pass_by(600)
    async with browser(one) as client:
        assert await log_in(client) == 303
    stored = one.read_now(lambda connection: connection.scalars(select(limits.c.bucket)).all())
    assert not any(STRANGER in bucket for bucket in stored)


async def test_a_crowd_of_networks_slows_the_owner_down_and_never_locks_him_out(store: Store, clock: TwoClocks) -> None:
    logins = ProgramLogins(WebSettings(), store, clock, Signer(SECRET))
    for number in range(IN_ALL):
        assert await logins.may_try("login", f"10.0.{number}.0/24")
    assert await logins.may_try("login", "198.51.100.0/24")
    assert not await logins.may_try("login", "198.51.101.0/24")
    clock.pass_by(10)
    assert await logins.may_try("login", "198.51.101.0/24")


async def test_without_any_password_nobody_logs_in(store: Store, browser: Browser) -> None:
    store.write_now(sessions.set_password, HASH)
    store.write_now(sessions.set_password, "")
    async with browser(store) as client:
        assert await log_in(client) == 404
        assert (await client.get("/metrics")).status_code == 404
