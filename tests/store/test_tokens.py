"""Logins in the ledger, on both databases: renewed by one, replaced by who logs in, never readable."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from sqlalchemy import Connection, select

from syndicate.channels.linkedin import wallet
from syndicate.errors import UsageError
from syndicate.sealing import seal
from syndicate.store import pauses, tokens
from syndicate.store.database import Store
from syndicate.store.schema import metadata
from tests.store.conftest import Database
from tests.store.rows import DAY, MINUTE, NOON

SECRET = b"a secret of this machine"
ACCESS, REFRESH = "AQX-access-token-planted-1f", "AQR-refresh-token-planted-2e"
LOGIN = tokens.Login(
    channel="linkedin", sealed=seal(SECRET, "linkedin", {"access": ACCESS, "refresh": REFRESH}),
    author="urn:li:person:abc", name="Jane", scope=frozenset({"openid", "w_member_social"}), obtained_at=NOON,
    expires_at=NOON + 60 * DAY, refresh_until=NOON + 365 * DAY, renew_at=NOON + 53 * DAY,
)  # fmt: skip
OTHER = replace(LOGIN, sealed="another", author="urn:li:person:else", name="Joe")


def test_a_login_comes_back_as_it_was_kept(store: Store) -> None:
    assert store.read_now(tokens.get, "linkedin") is None
    store.write_now(tokens.put, LOGIN)
    assert store.read_now(tokens.get, "linkedin") == LOGIN
    store.write_now(tokens.put, replace(LOGIN, name=None, renew_at=None))
    assert store.read_now(tokens.get, "linkedin") == replace(LOGIN, name=None, renew_at=None)


def test_of_several_machines_one_renews_and_after_its_death_another(database: Database) -> None:
    stores = [database.open() for _ in range(4)]
    stores[0].write_now(tokens.put, LOGIN)
    assert not stores[0].write_now(tokens.take_renewal, "linkedin", NOON + 52 * DAY), "it is not time"
    begin, taken = threading.Barrier(len(stores)), []

    def take(store: Store) -> None:
        begin.wait()
        taken.append(store.write_now(tokens.take_renewal, "linkedin", NOON + 53 * DAY))

    threads = [threading.Thread(target=take, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == [False, False, False, True]
    assert not stores[1].write_now(tokens.take_renewal, "linkedin", NOON + 53 * DAY + MINUTE)
    assert stores[1].write_now(tokens.take_renewal, "linkedin", NOON + 53 * DAY + 5 * MINUTE)


def test_who_logs_in_while_it_is_renewed_is_not_overwritten(store: Store) -> None:
    store.write_now(tokens.put, LOGIN)
    store.write_now(tokens.put, OTHER)
    assert not store.write_now(tokens.renewed, LOGIN, replace(LOGIN, sealed="renewed"))
    store.write_now(tokens.unrenewable, LOGIN)
    assert store.read_now(tokens.get, "linkedin") == OTHER
    assert store.write_now(tokens.renewed, OTHER, replace(OTHER, sealed="renewed"))


def test_a_configured_token_is_known_by_its_fingerprint_alone(store: Store) -> None:
    store.write_now(tokens.put, LOGIN)
    assert store.read_now(tokens.known, "linkedin", "") == LOGIN
    assert store.read_now(tokens.known, "linkedin", ACCESS) is None
    told = replace(LOGIN, channel=tokens.configured("linkedin"), sealed="", fingerprint=tokens.fingerprint(ACCESS))
    store.write_now(tokens.put, told)
    assert store.read_now(tokens.known, "linkedin", ACCESS) == told
    assert store.read_now(tokens.known, "linkedin", "another token") is None


def test_a_login_ends_a_fault_s_pause_and_leaves_a_person_s(store: Store) -> None:
    store.write_now(pauses.by_fault, "linkedin", "401", NOON)
    store.write_now(wallet.keep, LOGIN, "")
    assert store.read_now(pauses.standing) == {}
    store.write_now(pauses.pause, "linkedin", "on holiday", NOON)
    store.write_now(wallet.keep, LOGIN, "")
    assert store.read_now(pauses.standing) == {"linkedin": "on holiday"}


def test_somebody_else_s_login_is_refused_unless_he_is_named(store: Store) -> None:
    store.write_now(wallet.keep, LOGIN, "")
    store.write_now(pauses.by_fault, "linkedin", "401", NOON)
    with pytest.raises(UsageError, match=r'linkedin\.author to "urn:li:person:else"'):
        store.write_now(wallet.keep, OTHER, "")
    assert store.read_now(tokens.get, "linkedin") == LOGIN
    assert "linkedin" in store.read_now(pauses.standing)
    store.write_now(wallet.keep, OTHER, "urn:li:person:else")
    assert store.read_now(tokens.get, "linkedin") == OTHER


def test_no_token_stands_in_the_database_or_in_a_repr(store: Store) -> None:
    store.write_now(tokens.put, LOGIN)

    def everything(connection: Connection) -> str:
        return "\n".join(str(connection.execute(select(table)).all()) for table in metadata.sorted_tables)

    dump = store.read_now(everything)
    assert "urn:li:person:abc" in dump
    for shown in (dump, repr(LOGIN)):
        assert ACCESS not in shown and REFRESH not in shown
    assert LOGIN.sealed not in repr(LOGIN)
