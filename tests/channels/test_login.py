"""Logins against a strict LinkedIn: codes, renewals, tokens that die, and what is said of them. Cases 5-15 and 21."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from syndicate.channels.base import Announcement
from syndicate.channels.linkedin import LinkedIn, oauth, wallet
from syndicate.channels.linkedin.standing import Standing, look
from syndicate.channels.linkedin.wallet import Wallet
from syndicate.config import LinkedInSettings, Secret, Site
from syndicate.errors import DeliveryError, Refused, SyndicateError, Unavailable
from syndicate.fetch import Fetcher
from syndicate.store import tokens
from syndicate.store.database import Store, house_of, open_store
from tests.doubles.clock import StillClock
from tests.doubles.linkedin import AUTHOR, LinkedInDouble, Token
from tests.doubles.linkedin.oauth import REDIRECT, SECRET
from tests.doubles.linkedin.server import APP, MEMBER, ORGANISATION
from tests.factories import make_article

KEY = b"a secret of this machine"
PAGE_SCOPE = frozenset({"w_organization_social"})
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
SITE = Site(title="The Harbour News", url="https://example.org")


@dataclass
class Desk:
    """One process: a wallet on the ledger, a channel, and the double whose clock is ours."""

    double: LinkedInDouble
    clock: StillClock
    fetcher: Fetcher
    store: Store
    settings: LinkedInSettings

    def with_settings(self, **more: Any) -> Desk:
        return replace(self, settings=self.settings.model_copy(update=more))

    @property
    def wallet(self) -> Wallet:
        return Wallet(self.settings, self.fetcher, self.clock, self.store, (KEY,))

    @property
    def channel(self) -> LinkedIn:
        return LinkedIn(self.settings, SITE, self.fetcher, self.clock, True, wallet=self.wallet)

    async def exchange(self, code: str) -> oauth.Grant:
        return await oauth.exchange(self.settings, self.fetcher, code)

    async def log_in(self, scope: frozenset[str] = MEMBER) -> oauth.Grant:
        grant = await self.exchange(self.double.oauth.allow(scope=scope))
        login = wallet.login_of(grant, KEY, self.clock.now(), author=AUTHOR, name="Jane Doe")
        await self.store.write(wallet.keep, login, self.settings.author)
        return grant

    async def look(self) -> Standing:
        return await look(self.settings, self.wallet, self.fetcher, self.store, self.clock.now(), online=True)

    async def post(self, title: str = "One") -> Any:
        payload = self.channel.compose(Announcement(article=make_article(title=title), summary=f"{title}."))
        return await self.channel.send("linkedin-1", payload)

    async def failure(self) -> Unavailable:
        with pytest.raises(Unavailable) as caught:
            await self.post()
        return caught.value


@pytest.fixture
def clock() -> StillClock:
    return StillClock(datetime(2026, 11, 23, 12, 0, tzinfo=UTC))


@pytest.fixture
def double(clock: StillClock) -> Iterator[LinkedInDouble]:
    with LinkedInDouble(clock=lambda: clock.moment.timestamp()) as server:
        yield server


@pytest.fixture
async def desk(double: LinkedInDouble, clock: StillClock, tmp_path: Path) -> AsyncIterator[Desk]:
    store = open_store(house_of("", tmp_path), upgrade=True)
    fetcher = Fetcher(clock, random.Random(7), "syndicate/test")
    settings = LinkedInSettings(
        live=True,
        api_url=double.url,
        auth_url=double.url,
        client_id=APP,
        client_secret=Secret(SECRET),
        redirect=REDIRECT,
    )
    yield Desk(double, clock, fetcher, store, settings)
    await fetcher.aclose()
    store.close()


async def refusal(job: Any) -> SyndicateError:
    with pytest.raises(SyndicateError) as caught:
        await job
    return caught.value


# --- codes ------------------------------------------------------------------------------------------------------------


async def test_a_code_is_exchanged_for_sixty_days_without_renewal(desk: Desk) -> None:
    grant = await desk.log_in()
    assert grant.scope == MEMBER
    assert grant.expires_at == desk.clock.now() + 60 * DAY - oauth.MARGIN
    assert (bool(grant.refresh), grant.refresh_until) == (False, None)
    receipt = await desk.post()
    assert receipt.external_id == desk.double.posts[0].urn
    assert desk.double.posts[0].author == AUTHOR, "whoever logged in, where the configuration names nobody"


@pytest.mark.parametrize(
    ("late", "redirect", "twice", "words"),
    [
        (timedelta(0), REDIRECT, True, "a code serves once"),
        (timedelta(minutes=30, seconds=1), REDIRECT, False, "older than 30 minutes"),
        (timedelta(0), "http://localhost:8765/other", False, "linkedin.redirect"),
    ],
)
async def test_a_code_serves_once_soon_and_for_its_redirect(
    desk: Desk, late: timedelta, redirect: str, twice: bool, words: str
) -> None:
    code = desk.double.oauth.allow(redirect)
    if twice:
        await desk.exchange(code)
    desk.clock.moment += late
    error = await refusal(desk.exchange(code))
    assert isinstance(error, Refused) and words in str(error) and code not in str(error)


@pytest.mark.parametrize(("secret", "words"), [("", "linkedin.client_secret"), ("wrong", "linkedin.client_secret")])
async def test_a_missing_or_wrong_client_secret_is_named(desk: Desk, secret: str, words: str) -> None:
    error = await refusal(desk.with_settings(client_secret=Secret(secret)).exchange(desk.double.oauth.allow()))
    assert isinstance(error, Unavailable) and words in str(error.pauses)


async def test_whose_token_it_is_comes_from_userinfo_or_the_product_is_named(desk: Desk) -> None:
    member = await oauth.userinfo(desk.settings, desk.fetcher, (await desk.log_in()).access)
    assert (member.author, member.name) == (AUTHOR, "Jane Doe")
    bare = (await desk.exchange(desk.double.oauth.allow(scope=PAGE_SCOPE))).access
    error = await refusal(oauth.userinfo(desk.settings, desk.fetcher, bare))
    assert "Sign In with LinkedIn using OpenID Connect" in str(error)


# --- renewing ---------------------------------------------------------------------------------------------------------


async def test_a_login_is_renewed_within_its_last_week_and_its_own_end_stays(desk: Desk) -> None:
    desk.double.oauth.partner = True
    await desk.log_in()
    begun = desk.clock.now()
    desk.clock.moment += 52 * DAY
    await desk.post("Early")
    assert desk.double.oauth.asked == ["authorization_code"]
    desk.clock.moment = begun + 59 * DAY
    await desk.post("Late")
    assert desk.double.oauth.asked == ["authorization_code", "refresh_token"]
    login = await desk.wallet.login()
    assert login is not None
    assert (login.expires_at, login.refresh_until) == (
        desk.clock.now() + 60 * DAY - oauth.MARGIN, begun + 365 * DAY - oauth.MARGIN,
    )  # fmt: skip
    desk.clock.moment = begun + 200 * DAY  # nobody asked for long: it had ended and is renewed all the same
    await desk.post("After long")
    assert len(desk.double.posts) == 3


async def test_several_processes_renew_it_once(desk: Desk) -> None:
    desk.double.oauth.partner = True
    await desk.log_in()
    desk.clock.moment += 55 * DAY
    found = await asyncio.gather(*(desk.wallet.token() for _ in range(5)))
    assert desk.double.oauth.asked.count("refresh_token") == 1
    assert len({token.text for token in found}) <= 2, "those that came while it was renewed used the old one"


async def test_a_process_that_comes_while_an_ended_login_is_renewed_waits_without_a_pause(desk: Desk) -> None:
    desk.double.oauth.partner = True
    await desk.log_in()
    desk.clock.moment += 61 * DAY
    await desk.store.write(tokens.take_renewal, "linkedin", desk.clock.now())  # and died
    error = await desk.failure()
    assert (error.pauses, error.retry_after) == (None, wallet.BUSY)
    desk.clock.moment += tokens.TURN
    await desk.post()


async def test_what_cannot_be_renewed_any_more_posts_to_its_end_and_then_names_the_login(desk: Desk) -> None:
    desk.double.oauth.partner = True
    await desk.log_in()
    next(iter(desk.double.oauth.refreshes.values())).revoked = True
    desk.clock.moment += 55 * DAY
    await desk.post("Still")
    login = await desk.wallet.login()
    assert login is not None and login.refresh_until is None, "so that the owner is told of the nearer end"
    desk.clock.moment += 5 * DAY
    error = await desk.failure()
    assert "`syndicate linkedin login`" in str(error.pauses)
    assert desk.double.oauth.asked.count("refresh_token") == 1
    assert len(desk.double.posts) == 1


async def test_a_wrong_secret_of_the_app_does_not_forget_what_renews(desk: Desk) -> None:
    desk.double.oauth.partner = True
    await desk.log_in()
    desk.clock.moment += 61 * DAY
    error = await desk.with_settings(client_secret=Secret("wrong")).failure()
    assert "linkedin.client_secret" in str(error.pauses)
    desk.clock.moment += tokens.TURN
    await desk.post()


async def test_a_renewed_token_that_is_called_revoked_is_tried_again_in_seconds(desk: Desk) -> None:
    desk.double.oauth.partner = True
    desk.double.oauth.revoked_for = 3.0
    await desk.log_in()
    desk.clock.moment += 55 * DAY
    error = await desk.failure()
    assert error.pauses is None and error.retry_after is not None and error.retry_after <= timedelta(seconds=10)
    desk.clock.moment += error.retry_after
    await desk.post()


# --- tokens that die --------------------------------------------------------------------------------------------------


async def test_a_consent_for_other_scopes_ends_the_token_and_the_next_login_posts_again(desk: Desk) -> None:
    await desk.log_in()
    await desk.exchange(desk.double.oauth.allow(scope=frozenset({"openid", "profile"})))
    desk.clock.moment += timedelta(minutes=1)
    error = await desk.failure()
    assert error.status == 401 and "`syndicate linkedin login`" in str(error.pauses)
    await desk.log_in()
    await desk.post()


async def test_a_login_that_ended_asks_nothing_of_linkedin(desk: Desk) -> None:
    await desk.log_in()
    desk.clock.moment += 60 * DAY
    asked = len(desk.double.requests)
    error = await desk.failure()
    assert "ended on 2027-01-22" in str(error.pauses)
    assert len(desk.double.requests) == asked


async def test_without_a_login_the_command_is_named(desk: Desk) -> None:
    assert "`syndicate linkedin login`" in str((await desk.failure()).pauses)


async def test_another_secret_cannot_open_it_and_says_so(desk: Desk) -> None:
    await desk.log_in()
    other = Wallet(desk.settings, desk.fetcher, desk.clock, desk.store, (b"another",))
    error = await refusal(other.token())
    assert isinstance(error, Unavailable) and "`secret`" in str(error.pauses)


async def test_a_login_outlives_a_change_of_the_secret_and_is_sealed_anew_when_it_is_renewed(desk: Desk) -> None:
    desk.double.oauth.partner = True
    await desk.log_in()
    newer = b"the secret of a year later"
    later = Wallet(desk.settings, desk.fetcher, desk.clock, desk.store, (newer, KEY))
    alone = Wallet(desk.settings, desk.fetcher, desk.clock, desk.store, (newer,))
    before = (await later.token()).text
    assert isinstance(await refusal(alone.token()), Unavailable), "nothing was written by looking"
    desk.clock.moment += 55 * DAY
    after = (await later.token()).text
    assert after != before
    assert (await alone.token()).text == after
    assert isinstance(await refusal(desk.wallet.token()), Unavailable)


async def test_a_configured_token_wins(desk: Desk) -> None:
    await desk.log_in()
    configured = desk.with_settings(access_token=Secret("AQ-configured"), author=AUTHOR)
    desk.double.tokens["AQ-configured"] = Token()
    await configured.post()
    assert desk.double.requests[-1].headers["authorization"] == "Bearer AQ-configured"


# --- what a token cannot do -------------------------------------------------------------------------------------------


async def test_what_the_token_cannot_do_is_said_and_not_tried(desk: Desk) -> None:
    await desk.log_in()
    assert await desk.channel.unable() is None
    page = desk.with_settings(author=ORGANISATION)
    asked = len(desk.double.requests)
    assert "w_organization_social (the product Community Management API)" in str(await page.channel.unable())
    assert "w_organization_social" in str((await page.failure()).pauses)
    assert len(desk.double.requests) == asked
    page.double.oauth.entitled = PAGE_SCOPE
    await page.log_in(PAGE_SCOPE)
    await page.post()
    assert desk.double.posts[-1].author == ORGANISATION


# --- what is said of it -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("token", "state", "active", "said"),
    [
        (Token(), "", True, "active"),
        (Token(), "revoked", False, "revoked"),
        (Token(expires_at=1.0), "", False, "expired"),
        (Token(app="another app"), "", False, ""),
        (None, "", False, ""),
    ],
)
async def test_introspection_has_five_answers(
    desk: Desk, token: Token | None, state: str, active: bool, said: str
) -> None:
    if token:
        desk.double.tokens["AQ-asked"] = token
    if state:
        desk.double.dead["AQ-asked"] = state
    found = await oauth.introspect(desk.settings, desk.fetcher, Secret("AQ-asked"))
    assert (found.active, found.status) == (active, said)
    assert found.scope == (MEMBER if said else frozenset())


async def test_introspection_with_a_wrong_secret_names_it(desk: Desk) -> None:
    wrong = desk.with_settings(client_secret=Secret("wrong"))
    error = await refusal(oauth.introspect(wrong.settings, desk.fetcher, Secret("AQ-asked")))
    assert isinstance(error, Unavailable) and "linkedin.client_secret" in str(error.pauses)


async def test_the_standing_of_a_login_says_who_how_long_and_what(desk: Desk) -> None:
    await desk.log_in()
    found = await desk.look()
    assert (found.way, found.author, found.name, found.days_left(desk.clock.now())) == ("login", AUTHOR, "Jane Doe", 59)
    assert (found.can, found.problems, found.notes) == (("post", "delete its posts"), (), ())


async def test_a_retired_version_is_a_problem_although_userinfo_answers(desk: Desk) -> None:
    grant = await desk.log_in()
    desk.double.versions -= {desk.settings.version}
    assert (await oauth.userinfo(desk.settings, desk.fetcher, grant.access)).author == AUTHOR
    (problem,) = (await desk.look()).problems
    assert "linkedin.version" in problem


@pytest.mark.parametrize("state", ["expired", "revoked"])
async def test_a_dead_token_is_a_problem(desk: Desk, state: str) -> None:
    grant = await desk.log_in()
    desk.double.dead[grant.access.reveal()] = state
    problems = (await desk.look()).problems
    assert any(state in problem and "`syndicate linkedin login`" in problem for problem in problems)


async def test_the_life_of_a_pasted_token_is_learned_and_kept_without_the_token(desk: Desk) -> None:
    desk.double.tokens["AQ-pasted-token"] = Token(expires_at=desk.clock.moment.timestamp() + 864_000)
    pasted = desk.with_settings(access_token=Secret("AQ-pasted-token"), author=AUTHOR)
    assert (await pasted.look()).days_left(desk.clock.now()) == 10
    known = await pasted.wallet.login()
    assert known is not None and known.sealed == "" and known.scope == MEMBER
    other = pasted.with_settings(access_token=Secret("AQ-another"))
    assert await other.wallet.login() is None


async def test_a_linkedin_that_does_not_answer_is_a_note(desk: Desk) -> None:
    await desk.log_in()
    found = await desk.with_settings(auth_url="http://127.0.0.1:1", api_url="http://127.0.0.1:1").look()
    assert found.problems == () and "cannot be reached" in found.notes[0]


async def test_no_secret_stands_in_an_error_or_a_log(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    desk.double.oauth.partner = True
    grant = await desk.log_in()
    told: list[DeliveryError] = []
    next(iter(desk.double.oauth.refreshes.values())).revoked = True
    desk.clock.moment += 61 * DAY
    told.append(await desk.failure())
    wrong = desk.with_settings(client_secret=Secret("WPL-wrong-secret"))
    for job in (wrong.exchange("AQ-code-planted"), desk.exchange("AQ-code-planted")):
        error = await refusal(job)
        assert isinstance(error, DeliveryError)
        told.append(error)
    shown = caplog.text + "".join(f"{one!r} {one} {one.answer} {getattr(one, 'pauses', '')}" for one in told)
    shown += repr(desk.wallet) + repr(await desk.wallet.login()) + repr(desk.settings)
    for secret in (grant.access.reveal(), grant.refresh.reveal(), SECRET, "WPL-wrong-secret", "AQ-code-planted"):
        assert secret not in shown
