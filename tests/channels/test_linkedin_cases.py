"""The 63 cases that are known of LinkedIn: which tests hold each of them; and those that no other file has.

A case is the double's (does it behave like this?), ours (does the program live with it?), or both. Where the program
never comes into a case, the table says why.
"""

from __future__ import annotations

import ast
import json
import random
import re
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from syndicate.channels.base import Announcement, Payload
from syndicate.channels.linkedin import LinkedIn, littletext
from syndicate.config import LinkedInSettings, Secret, Site
from syndicate.errors import DeliveryError, Refused, Unavailable
from syndicate.fetch import Fetcher
from tests.doubles.clock import StillClock
from tests.doubles.linkedin import AUTHOR, TOKEN, LinkedInDouble, Token, server
from tests.doubles.linkedin.knobs import Knobs
from tests.factories import make_article

TESTS = Path(__file__).parents[1]
SITE = Site(title="The Harbour News", url="https://example.org", cta_url="https://www.linkedin.com/company/harbour")
HOSTILE = (
    "()[]{}<>@|\\~_*# (a) [b] {c} <d> @e |f| ~g~ _h_ *i* C# #1 \\( https://e.org/a_b(c)?x=~1#y @[E](urn:li:person:1) \\"
)


FILES = {
    "double": "channels/test_double_linkedin.py",
    "here": "channels/test_linkedin_cases.py",
    "channel": "channels/test_linkedin.py",
    "images": "channels/test_linkedin_images.py",
    "login": "channels/test_login.py",
    "browser": "acceptance/test_login.py",
    "oauth": "unit/test_oauth.py",
    "answers": "unit/test_linkedin_answers.py",
    "compose": "unit/test_linkedin_compose.py",
    "littletext": "unit/test_littletext.py",
    "picture": "unit/test_picture.py",
    "crash": "acceptance/test_crash.py",
    "sending": "store/test_sending.py",
    "tokens": "store/test_tokens.py",
    "config": "unit/test_config.py",
}

CASES = """
1 consent, and back with code and state
    browser test_a_person_logs_in_in_the_browser_and_posts_go_out
    browser test_what_is_not_the_answer_is_waited_past
2 a redirect that is not registered
    browser test_a_redirect_that_is_not_registered_is_linkedin_s_page
3 a scope refused or dropped
    browser test_a_scope_that_the_app_lacks_stores_nothing_and_names_the_product
    oauth test_an_error_in_the_redirect_is_told_in_words
    oauth test_what_a_token_lacks_is_named_with_its_product
4 cancelled
    browser test_who_cancels_is_not_logged_in
    oauth test_an_error_in_the_redirect_is_told_in_words
5 a code is exchanged
    login test_a_code_is_exchanged_for_sixty_days_without_renewal
    oauth test_scopes_are_read_however_they_are_separated
6 the code twice
    login test_a_code_serves_once_soon_and_for_its_redirect
7 the code after half an hour
    login test_a_code_serves_once_soon_and_for_its_redirect
8 another redirect
    login test_a_code_serves_once_soon_and_for_its_redirect
    oauth test_each_error_of_the_table_says_what_to_do
9 no client secret
    login test_a_missing_or_wrong_client_secret_is_named
10 renewed on day 59
    login test_a_login_is_renewed_within_its_last_week_and_its_own_end_stays
    tokens test_of_several_machines_one_renews_and_after_its_death_another
11 what renews is revoked
    login test_what_cannot_be_renewed_any_more_posts_to_its_end_and_then_names_the_login
12 other scopes end the token
    login test_a_consent_for_other_scopes_ends_the_token_and_the_next_login_posts_again
    browser test_a_dead_login_pauses_with_its_queue_kept_and_the_next_one_lets_it_go_on
13 revoked for three seconds after a renewal
    login test_a_renewed_token_that_is_called_revoked_is_tried_again_in_seconds
    answers test_a_token_renewed_some_seconds_ago_may_look_revoked
14 introspection
    login test_introspection_has_five_answers
    login test_introspection_with_a_wrong_secret_names_it
15 userinfo
    login test_whose_token_it_is_comes_from_userinfo_or_the_product_is_named
16 no version
    double test_headers
    answers test_what_concerns_the_channel_pauses_it_with_what_to_do
17 a retired version
    double test_headers
    channel test_a_retired_version_pauses_and_a_later_one_in_the_configuration_mends_the_frozen_post
18 a future or malformed version
    double test_headers
    double test_what_nobody_could_verify_is_a_knob
    config test_a_mistake_is_named_by_key_and_told_in_words
19 the header in small letters
    double test_headers
    because we write it one way; HTTP does not mind
20 a version dies while posts wait
    crash test_what_concerns_the_channel_pauses_it_and_keeps_the_queue
    double test_a_version_dies_on_its_day_and_its_like_lives_on
21 userinfo answers although the version is dead
    login test_a_retired_version_is_a_problem_although_userinfo_answers
    browser test_a_retired_version_is_red_although_linkedin_says_who_we_are
22 no token, garbage, expired, revoked
    double test_headers
    channel test_a_dead_token_pauses
    answers test_what_concerns_the_channel_pauses_it_with_what_to_do
23 the smallest post
    double test_fields
    double test_an_accepted_post_is_named_in_the_headers_and_has_no_body
    channel test_a_post_arrives_whole_and_its_receipt_names_it
    channel test_an_id_is_taken_percent_encoded_too
24 no distribution, no commentary
    double test_fields
    compose test_the_request_has_all_that_linkedin_demands_and_no_token
25 a card without title
    double test_fields
    channel test_a_field_that_is_missing_is_refused_with_linkedins_words
    compose test_without_a_title_even_the_card_bears_the_name_of_the_site
26 3,000 and 3,001 characters
    double test_fields
    answers test_what_is_final_is_refused_in_linkedins_words
    compose test_whatever_is_written_linkedin_stores_what_was_meant
27 4,086 and 4,087 characters of description
    double test_fields
    double test_what_nobody_could_verify_is_a_knob
    compose test_ten_thousand_characters_everywhere_still_fit
28 another author, a bare one
    double test_fields
    channel test_another_author_pauses_and_names_the_key
29 organisations
    double test_fields
    double test_a_page_is_posted_as_by_scope_and_role
    here test_a_page_is_posted_as_with_a_pages_token_and_role_alone
30 a thumbnail unknown or of another
    double test_fields
    images test_a_post_whose_picture_is_refused_goes_out_without_it_at_once
31 a visibility that is none
    double test_fields
    double test_what_nobody_could_verify_is_a_knob
    because we only say PUBLIC
32 thumbnail: null
    double test_fields
    compose test_the_request_has_all_that_linkedin_demands_and_no_token
33 a picture at once, a slow one
    images test_a_card_has_the_picture_of_its_article_as_a_jpeg
    images test_a_picture_that_is_being_read_is_waited_for_and_kept
34 no JSON by its type
    double test_headers
    compose test_the_request_has_all_that_linkedin_demands_and_no_token
35 created, without an id
    crash test_an_answer_that_names_no_post_of_ours_is_neither_adopted_nor_asked_again
    double test_the_script_answers
    channel test_a_post_without_id_is_published_all_the_same
    answers test_a_created_post_is_a_receipt
36 a bare parenthesis
    double test_little_text
    double test_a_stricter_linkedin_refuses_what_it_would_cut
    here test_by_every_reading_of_the_facts_a_hostile_article_arrives_whole
37 fifteen characters, and random text
    littletext test_each_reserved_character_alone_survives
    littletext test_linkedin_stores_exactly_what_was_escaped
38 three spellings of a hashtag
    double test_little_text
    littletext test_a_named_hashtag_becomes_a_template_and_every_other_sign_is_escaped
39 C# and #1
    littletext test_a_named_hashtag_becomes_a_template_and_every_other_sign_is_escaped
    littletext test_hashtags_are_found_where_people_write_them
40 mentions
    double test_little_text
    compose test_hostile_text_arrives_as_it_was_written
    because a text that spells one is shown as it was written
41 an address in the text
    compose test_hostile_text_arrives_as_it_was_written
    here test_by_every_reading_of_the_facts_a_hostile_article_arrives_whole
42 a backslash at the end
    double test_little_text
    double test_a_stricter_linkedin_refuses_what_it_would_cut
    compose test_hostile_text_arrives_as_it_was_written
43 a card's title is plain
    double test_an_accepted_post_is_named_in_the_headers_and_has_no_body
    channel test_a_post_arrives_whole_and_its_receipt_names_it
44 initializeUpload
    images test_the_double_says_where_to_upload_and_for_how_long
    images test_a_refused_upload_leaves_the_picture_out
45 PUT without token, twice
    images test_the_double_takes_an_upload_with_the_token_by_put_in_time_and_the_last_one_wins
    images test_a_card_has_the_picture_of_its_article_as_a_jpeg
46 PUT too late
    images test_the_double_takes_an_upload_with_the_token_by_put_in_time_and_the_last_one_wins
    images test_an_address_that_has_expired_is_asked_for_anew
47 POST instead of PUT
    images test_the_double_takes_an_upload_with_the_token_by_put_in_time_and_the_last_one_wins
    because we PUT
48 an image is read
    images test_the_double_shows_an_image_to_a_page_and_not_to_a_member
    here test_nothing_is_asked_that_a_members_token_may_not
    because a member's token may not, so nobody's is asked
49 WebP, 6,100 pixels
    images test_the_double_shows_an_image_to_a_page_and_not_to_a_member
    images test_what_linkedin_would_not_take_is_made_into_what_it_takes
50 a duplicate, and its window
    double test_a_duplicate_is_one_to_the_character_and_for_a_while
    channel test_a_duplicate_without_an_earlier_doubt_is_refused_and_named
51 accepted, then dropped
    channel test_without_a_clear_answer_there_is_doubt_and_the_repeat_leaves_one_post
    crash test_a_lost_answer_is_settled_by_one_repeat_and_never_by_a_second_post
52 504, not accepted
    channel test_without_a_clear_answer_there_is_doubt_and_the_repeat_leaves_one_post
53 ghosts
    crash test_an_answer_that_names_no_post_of_ours_is_neither_adopted_nor_asked_again
    double test_a_ghost_is_another_post_each_time_and_nobody_has_it
    here test_a_ghost_is_refused_after_one_request_and_not_adopted
54 one changed character
    double test_a_duplicate_is_one_to_the_character_and_for_a_while
    because a repeat of ours is the same to the byte
55 the 151st request of a day
    double test_a_day_has_150_requests_of_a_member_and_refused_ones_count
    here test_after_the_last_request_of_a_day_the_next_goes_at_midnight_utc
    sending test_a_used_up_day_is_asked_once_and_rests_the_channel
    crash test_a_used_up_day_is_asked_once_and_the_queue_waits_for_the_next
56 a throttle without a day
    double test_a_throttle_that_names_no_day_clears_itself
    channel test_an_unlabelled_429_rests_a_minute
57 500 with a page
    double test_the_script_answers
    channel test_without_a_clear_answer_there_is_doubt_and_the_repeat_leaves_one_post
58 401 in the middle of a queue
    browser test_a_dead_login_pauses_with_its_queue_kept_and_the_next_one_lets_it_go_on
    crash test_what_concerns_the_channel_pauses_it_and_keeps_the_queue
59 a post is read
    double test_a_post_is_read_by_a_page_alone_and_by_an_encoded_urn
    here test_nothing_is_asked_that_a_members_token_may_not
    because a member's token may not, so a doubt is settled by a repeat for all
60 posts are found
    double test_posts_are_found_by_a_page_alone
    here test_nothing_is_asked_that_a_members_token_may_not
    because as 59
61 deleted twice
    double test_a_post_is_deleted_by_its_author
    channel test_a_post_is_deleted_and_one_that_is_gone_is_done
62 a partial update
    double test_a_post_is_changed_in_part_and_only_with_the_method
    here test_nothing_is_asked_that_a_members_token_may_not
    because an edit announces nothing again, and changes nothing that was sent
63 a comment
    double test_a_member_may_not_comment
    here test_nothing_is_asked_that_a_members_token_may_not
    because the link stands on the card
"""


def cases() -> dict[int, list[tuple[str, str]]]:
    """Number of the case -> (file, test), or ("because", why the program itself never comes into it)."""
    table: dict[int, list[tuple[str, str]]] = {}
    for line in CASES.strip().splitlines():
        if line.startswith(" "):
            word, _, rest = line.strip().partition(" ")
            table[max(table)].append((word, rest))
        else:
            table[int(line.partition(" ")[0])] = []
    return table


NAMED = sorted({one for case in cases().values() for one in case if one[0] != "because"})


def names_in(path: Path) -> set[str]:
    """The tests of a file, read and not imported: a file that is broken breaks its own tests."""
    tree = ast.parse(path.read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_each_of_the_63_cases_is_held_by_a_test() -> None:
    assert list(cases()) == list(range(1, 64))
    assert all(any(word != "because" for word, _ in case) for case in cases().values())


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_the_test_that_is_named_is_there(file: str, name: str) -> None:
    assert name.startswith("test_")
    assert name in names_in(TESTS / FILES[file])


def test_the_double_has_a_row_for_the_cases_that_the_table_says() -> None:
    text = (TESTS / FILES["double"]).read_text("utf-8")
    rows = {int(number) for number in re.findall(r"^        \((\d+), ", text, re.MULTILINE)} - {0}
    tables = {"test_headers", "test_fields", "test_little_text"}
    assert rows == {number for number, case in cases().items() if any(name in tables for _, name in case)}


# -- cases that no other file has --------------------------------------------------------------------------------


@pytest.fixture
def clock() -> StillClock:
    return StillClock(datetime(2026, 11, 23, 12, 0, tzinfo=UTC))


@pytest.fixture
def double(clock: StillClock) -> Iterator[LinkedInDouble]:
    with LinkedInDouble(clock=lambda: clock.now().timestamp()) as double:
        yield double


@pytest.fixture
async def fetcher(clock: StillClock) -> AsyncIterator[Fetcher]:
    fetcher = Fetcher(clock, random.Random(7), "syndicate/test")
    yield fetcher
    await fetcher.aclose()


def channel(double: LinkedInDouble, fetcher: Fetcher, author: str = AUTHOR, token: str = TOKEN) -> LinkedIn:
    settings = LinkedInSettings(live=True, api_url=double.url, author=author, access_token=Secret(token))
    return LinkedIn(settings, SITE, fetcher, fetcher.clock, True)


def post(linkedin: LinkedIn, **article: Any) -> Payload:
    return linkedin.compose(Announcement(article=make_article(**article), summary=article.pop("summary", "One. Two.")))


async def failure(linkedin: LinkedIn, payload: Payload) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await linkedin.send("linkedin-1", payload)
    return caught.value


@pytest.mark.parametrize(
    "knobs",
    [
        Knobs(),
        Knobs(reserved="refuse"),
        Knobs(description=4086, null=400, wrong_value=422, malformed_version=400),
    ],
    ids=["as reported most", "strict", "as reported elsewhere"],
)
async def test_by_every_reading_of_the_facts_a_hostile_article_arrives_whole(
    double: LinkedInDouble, fetcher: Fetcher, knobs: Knobs
) -> None:
    double.knobs = knobs
    linkedin = channel(double, fetcher)
    for text in (HOSTILE, f"{HOSTILE} " * 100, "", "a \u2028 b", "שלום (עולם) \\"):
        payload = post(linkedin, title=text, description=text * 5, cta=text, tags=(text, "C#", "sea, salt"))
        await linkedin.send("linkedin-1", payload)
        commentary = json.loads(payload["body"])["commentary"]
        assert double.posts[-1].text == littletext.decode(commentary)
    assert len(double.posts) == 5


@pytest.mark.parametrize(
    ("author", "scope", "named"),
    [
        (server.ORGANISATION, server.MEMBER | {"w_organization_social"}, None),
        (server.ORGANISATION, server.MEMBER, "w_organization_social"),
        (server.FOREIGN_ORGANISATION, server.MEMBER | {"w_organization_social"}, "linkedin.author"),
    ],
)
async def test_a_page_is_posted_as_with_a_pages_token_and_role_alone(
    double: LinkedInDouble, fetcher: Fetcher, author: str, scope: frozenset[str], named: str | None
) -> None:
    double.tokens[TOKEN] = Token(scope=scope)
    linkedin = channel(double, fetcher, author)
    if named is None:
        await linkedin.send("linkedin-1", post(linkedin))
        assert double.posts[0].author == author
        return
    error = await failure(linkedin, post(linkedin))
    assert isinstance(error, Unavailable)
    assert error.pauses is not None
    assert named in error.pauses
    assert double.posts == []


async def test_a_ghost_is_refused_after_one_request_and_not_adopted(double: LinkedInDouble, fetcher: Fetcher) -> None:
    double.knobs.ghosts = True
    linkedin = channel(double, fetcher)
    payload = post(linkedin)
    first = await linkedin.send("linkedin-1", payload)
    assert first.external_id
    await linkedin.retract(first.external_id)
    before = len(double.requests)
    error = await failure(linkedin, payload)
    assert isinstance(error, Refused)
    assert "or blocked there as a repetition" in error.reason
    assert (len(double.requests) - before, double.seen()) == (1, [])


async def test_after_the_last_request_of_a_day_the_next_goes_at_midnight_utc(
    double: LinkedInDouble, fetcher: Fetcher, clock: StillClock
) -> None:
    double.quota.of_member = 1
    linkedin = channel(double, fetcher)
    await linkedin.send("linkedin-1", post(linkedin))
    late = post(linkedin, title="The second of the day")
    error = await failure(linkedin, late)
    assert isinstance(error, Unavailable)
    assert (error.pauses, error.retry_after is not None) == (None, True)
    assert error.retry_after
    assert timedelta(hours=12) <= error.retry_after <= timedelta(hours=12, minutes=10)
    assert len(double.requests) == 2
    clock.moment = datetime(2026, 11, 24, tzinfo=UTC)
    assert (await linkedin.send("linkedin-2", late)).external_id


async def test_nothing_is_asked_that_a_members_token_may_not(double: LinkedInDouble, fetcher: Fetcher) -> None:
    """No reading, no finder, no update, no comment; not even when an answer is lost."""
    double.faults.extend(["accept-then-drop", "", "500-after-accept"])
    linkedin = channel(double, fetcher)
    for title in ("One", "Two", "Three"):
        payload = post(linkedin, title=title)
        try:
            receipt = await linkedin.send(title, payload)
        except DeliveryError:
            receipt = await linkedin.reconcile(title, payload)
        assert receipt.external_id
        await linkedin.retract(receipt.external_id)
    asked = {(request.method, re.sub(r"(?<=/posts/).*", "URN", request.path)) for request in double.requests}
    assert asked == {("POST", "/rest/posts"), ("DELETE", "/rest/posts/URN")}
