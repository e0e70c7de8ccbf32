"""The double itself: as strict as LinkedIn where that is known (the numbers are those of test_linkedin_cases.py)."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.doubles.clock import StillClock
from tests.doubles.linkedin import AUTHOR, TOKEN, LinkedInDouble, Token, littletext, server

ORGANISATION, FOREIGN = server.ORGANISATION, server.FOREIGN_ORGANISATION
PAGE_TOKEN = "AQ-double-page-token-77aa"
PAGE = Token(scope=server.MEMBER | {"w_organization_social", "r_organization_social"})
CARD = {"source": "https://e.org/1", "title": "T"}
BODY: dict[str, Any] = {
    "author": AUTHOR,
    "commentary": "Hello.",
    "visibility": "PUBLIC",
    "distribution": {"feedDistribution": "MAIN_FEED", "targetEntities": [], "thirdPartyDistributionChannels": []},
    "lifecycleState": "PUBLISHED",
}
HEADERS = {"Linkedin-Version": "202609", "X-Restli-Protocol-Version": "2.0.0", "Authorization": f"Bearer {TOKEN}"}
GONE = object()
HTTP = httpx.Client(verify=False, trust_env=False)  # one for all: a new one reads every certificate of this machine


@pytest.fixture
def double() -> Iterator[LinkedInDouble]:
    with LinkedInDouble() as double:
        double.tokens[PAGE_TOKEN] = PAGE
        yield double


@pytest.fixture
def clock() -> StillClock:
    return StillClock(datetime(2026, 11, 23, 23, 0, tzinfo=UTC))


@pytest.fixture
def timed(clock: StillClock) -> Iterator[LinkedInDouble]:
    with LinkedInDouble(clock=lambda: clock.now().timestamp()) as double:
        double.tokens[PAGE_TOKEN] = PAGE
        yield double


def without(known: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**known, **change}.items() if value is not GONE}


def ask(
    double: LinkedInDouble, method: str, path: str, body: Any = None, *, token: str = TOKEN, **headers: Any
) -> httpx.Response:
    given = without(
        {**HEADERS, "Authorization": f"Bearer {token}"}, {n.replace("_", "-"): v for n, v in headers.items()}
    )
    return HTTP.request(method, f"{double.url}{path}", headers=given, json=body)


def post(
    double: LinkedInDouble, *, token: str = TOKEN, headers: dict[str, Any] | None = None, **change: Any
) -> httpx.Response:
    given = without({**HEADERS, "Authorization": f"Bearer {token}", "Content-Type": "application/json"}, headers or {})
    content = json.dumps(without(BODY, change)).encode()
    return HTTP.post(f"{double.url}/rest/posts", headers=given, content=content)


def path_to(urn: str) -> str:
    return f"/rest/posts/{quote(urn, safe='')}"


def path_of(answer: httpx.Response) -> str:
    return path_to(answer.headers["x-restli-id"])


def card(**change: Any) -> dict[str, Any]:
    return {"article": without(CARD, change)}


# -- creating ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("case", "headers", "status", "words"),
    [
        (16, {"Linkedin-Version": GONE}, 400, "VERSION_MISSING"),
        (17, {"Linkedin-Version": "202504"}, 426, "Requested version 20250401 is not active"),
        (18, {"Linkedin-Version": "203001"}, 426, "NONEXISTENT_VERSION"),
        (18, {"Linkedin-Version": "2026-09"}, 426, "NONEXISTENT_VERSION"),
        (19, {"Linkedin-Version": GONE, "linkedin-version": "202609"}, 201, ""),
        (22, {"Authorization": GONE}, 401, "Empty oauth2_access_token"),
        (22, {"Authorization": "Bearer garbage"}, 401, "65600"),
        (22, {"Authorization": "Bearer expired"}, 401, "65602"),
        (22, {"Authorization": "Bearer revoked"}, 401, "65601"),
        (22, {"Authorization": "Bearer restricted"}, 401, "65608"),
        (34, {"Content-Type": "text/plain"}, 415, ""),
        (0, {"X-Restli-Protocol-Version": GONE}, 400, "ILLEGAL_ARGUMENT"),
    ],
)
def test_headers(double: LinkedInDouble, case: int, headers: dict[str, Any], status: int, words: str) -> None:
    double.dead |= {state: state for state in server.DEAD}
    answer = post(double, headers=headers)
    assert (answer.status_code, len(double.posts)) == (status, int(status == 201))
    assert words in answer.text


@pytest.mark.parametrize(
    ("case", "change", "status", "words"),
    [
        (23, {}, 201, ""),
        (24, {"distribution": GONE}, 422, "ERROR :: /distribution :: field is required but not found"),
        (24, {"commentary": GONE}, 422, "/commentary"),
        (24, {"lifecycleState": GONE}, 422, "/lifecycleState"),
        (25, {"content": card(title=GONE)}, 422, "/content/article/title"),
        (26, {"commentary": "x" * 3000}, 201, ""),
        (26, {"commentary": "x" * 3001}, 400, "(3001 characters) exceeded the maximum allowed (3000 characters)"),
        (26, {"commentary": "🎉" * 1501}, 400, "FIELD_ARRAY_SIZE_TOO_HIGH"),
        (27, {"content": card(description="x" * 4084)}, 201, ""),
        (27, {"content": card(description="x" * 4085)}, 400, "FIELD_LENGTH_TOO_LONG"),
        (28, {"author": "urn:li:person:somebody"}, 403, "[/author]"),
        (28, {"author": "abcd1234"}, 403, "[/author]"),
        (29, {"author": ORGANISATION}, 403, "partnerApiPostsExternal.CREATE.20260901"),
        (30, {"content": card(thumbnail="urn:li:digitalmediaAsset:1")}, 400, "INVALID_IMAGE_ID"),
        (31, {"visibility": "FRIENDS"}, 400, "INVALID_VALUE_FOR_FIELD"),
        (32, {"content": card(thumbnail=None)}, 422, "/content/article/thumbnail"),
        (0, {"content": card(thumbnailAltText="A lamp")}, 403, "Unpermitted fields"),
        (0, {"content": card(title="x" * 401)}, 400, "FIELD_LENGTH_TOO_LONG"),
        (0, {"content": {**card(), "media": {"id": "urn:li:image:1"}}}, 422, ""),
        (0, {"content": {"media": {"id": "urn:li:image:1", "altText": "x" * 4087}}}, 400, "FIELD_LENGTH_TOO_LONG"),
        (0, {"content": {"multiImage": {"images": [{"id": "urn:li:image:1"}]}}}, 400, "2 to 20"),
        (0, {"sponsored": True}, 403, "[/sponsored]"),
    ],
)  # fmt: skip
def test_fields(double: LinkedInDouble, case: int, change: dict[str, Any], status: int, words: str) -> None:
    answer = post(double, **change)
    assert (answer.status_code, len(double.posts)) == (status, int(status == 201))
    assert words in answer.text


def test_what_nobody_could_verify_is_a_knob(double: LinkedInDouble) -> None:
    knobs = double.knobs
    knobs.malformed_version, knobs.wrong_value, knobs.null, knobs.description = 400, 422, 400, 4086
    assert post(double, headers={"Linkedin-Version": "2026-09"}).status_code == 400
    assert post(double, visibility="FRIENDS").status_code == 422
    assert post(double, content=card(thumbnail=None)).status_code == 400
    assert post(double, content=card(description="x" * 4086)).status_code == 201
    assert post(double, content=card(description="x" * 4087)).status_code == 400


def test_an_accepted_post_is_named_in_the_headers_and_has_no_body(double: LinkedInDouble) -> None:
    answer = post(double, content=card(title="A (B)"))
    urn = double.posts[0].urn
    assert (answer.status_code, answer.headers["x-restli-id"], answer.content) == (201, urn, b"")
    assert answer.headers["location"] == f"/posts/{quote(urn, safe='')}"
    assert double.posts[0].card == {**CARD, "title": "A (B)"}  # 43: cards are no little text


def test_a_version_dies_on_its_day_and_its_like_lives_on(timed: LinkedInDouble, clock: StillClock) -> None:
    timed.sunsets = {v: datetime.fromisoformat(f"{day}T00:00Z").timestamp() for v, day in server.SUNSETS.items()}
    assert post(timed, headers={"Linkedin-Version": "202511"}).status_code == 426  # was never among the living
    assert post(timed, headers={"Linkedin-Version": "202601"}).status_code == 201
    clock.moment = datetime(2027, 1, 15, tzinfo=UTC)
    assert post(timed, headers={"Linkedin-Version": "202601"}).status_code == 426
    assert post(timed, headers={"Linkedin-Version": "202602"}).status_code == 201
    assert len(timed.posts) == 2


@pytest.mark.parametrize(
    ("author", "token", "status", "words"),
    [
        (ORGANISATION, PAGE_TOKEN, 201, ""),
        (AUTHOR, PAGE_TOKEN, 201, ""),
        (FOREIGN, PAGE_TOKEN, 403, "[/author]"),
        (ORGANISATION, TOKEN, 403, "partnerApiPostsExternal.CREATE.20260901"),
    ],
)
def test_a_page_is_posted_as_by_scope_and_role(
    double: LinkedInDouble, author: str, token: str, status: int, words: str
) -> None:
    answer = post(double, author=author, token=token)
    assert (answer.status_code, words in answer.text) == (status, True)
    double.roles.clear()
    assert post(double, author=author, token=token, commentary="Again.").status_code == (
        201 if author == AUTHOR else 403
    )


# -- little text -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("case", "sent", "stored", "shown"),
    [
        (36, "a (b) c", "a ", "a "),
        (36, "a \\(b\\) c", "a (b) c", "a (b) c"),
        (38, "#rss", "{hashtag|\\#|rss}", "#rss"),
        (38, "\\#rss", "#rss", "#rss"),
        (38, "{hashtag|#|rss}", "{hashtag|\\#|rss}", "#rss"),
        (38, "{hashtag|\\#|rss} now", "{hashtag|\\#|rss} now", "#rss now"),
        (40, "@[Devtestco](urn:li:organization:2414183)!", "@[Devtestco](urn:li:organization:2414183)!", "Devtestco!"),
        (40, "@[devtestco](urn:li:organization:2414183)!", "devtestco!", "devtestco!"),
        (40, "@[Eddy](urn:li:person:1234)", "@[Eddy](urn:li:person:1234)", "Eddy"),
        (42, "The end \\", "The end ", "The end "),
        (42, "\\x", "", ""),
    ],
)  # fmt: skip
def test_little_text(case: int, sent: str, stored: str, shown: str) -> None:
    reading = littletext.read(sent)
    assert (reading.stored, reading.shown) == (stored, shown)


@pytest.mark.parametrize("text", ["a (b) c", "The end \\", "a_b"])
def test_a_stricter_linkedin_refuses_what_it_would_cut(double: LinkedInDouble, text: str) -> None:
    assert post(double, commentary=text).status_code == 201
    double.knobs.reserved = "refuse"
    assert post(double, commentary=f"{text} ").status_code == 400
    assert len(double.posts) == 1


# -- duplicates and quotas ---------------------------------------------------------------------------------------


def test_a_duplicate_is_one_to_the_character_and_for_a_while(timed: LinkedInDouble, clock: StillClock) -> None:
    assert post(timed).status_code == 201
    again = post(timed)
    assert (again.status_code, again.json()["errorDetails"]["inputErrors"][0]["code"]) == (422, "DUPLICATE_POST")
    assert f"duplicate of {timed.posts[0].urn}" in again.text
    assert post(timed, commentary="Hello!").status_code == 201
    clock.moment = datetime(2026, 11, 23, 23, 10, 1, tzinfo=UTC)
    assert post(timed).status_code == 201
    assert len(timed.posts) == 3


def test_a_ghost_is_another_post_each_time_and_nobody_has_it(double: LinkedInDouble) -> None:
    double.knobs.ghosts = True
    page: dict[str, Any] = {"author": ORGANISATION, "token": PAGE_TOKEN}
    path = path_of(post(double, **page))
    assert ask(double, "DELETE", path, token=PAGE_TOKEN, X_RestLi_Method="DELETE").status_code == 204
    named = [post(double, **page).json()["message"].rpartition(" ")[2] for _ in range(2)]
    assert len({*named, double.posts[0].urn}) == 3
    for urn in named:
        assert ask(double, "GET", path_to(urn), token=PAGE_TOKEN).status_code == 404


def test_a_day_has_150_requests_of_a_member_and_refused_ones_count(timed: LinkedInDouble, clock: StillClock) -> None:
    statuses = [post(timed, visibility="FRIENDS" if number % 2 else "PUBLIC").status_code for number in range(150)]
    assert (statuses.count(201), statuses.count(422), statuses.count(400)) == (1, 74, 75)
    refused = post(timed)
    assert (refused.status_code, refused.json()["serviceErrorCode"]) == (429, 101)
    assert "APPLICATION_AND_MEMBER DAY limit" in refused.text
    assert "retry-after" not in refused.headers
    assert ask(timed, "DELETE", "/rest/posts/urn%3Ali%3Ashare%3A1").status_code == 429  # one counter for the resource
    timed.tokens["other"] = Token(member="urn:li:person:other")
    assert post(timed, token="other", author="urn:li:person:other").status_code == 201
    clock.moment = datetime(2026, 11, 23, 23, 59, 59, tzinfo=UTC)
    assert post(timed, commentary="Late.").status_code == 429
    clock.moment = datetime(2026, 11, 24, tzinfo=UTC)
    assert post(timed, commentary="Late.").status_code == 201


def test_an_app_has_a_quota_for_all_its_members(double: LinkedInDouble) -> None:
    double.quota.of_app = 1
    double.tokens["other"] = Token(member="urn:li:person:other")
    assert post(double).status_code == 201
    refused = post(double, token="other", author="urn:li:person:other")
    assert (refused.status_code, "throttle APPLICATION DAY limit" in refused.text) == (429, True)


def test_a_throttle_that_names_no_day_clears_itself(timed: LinkedInDouble, clock: StillClock) -> None:
    timed.quota.resting_until = clock.now().timestamp() + 60
    refused = post(timed)
    assert (refused.status_code, "DAY" in refused.text) == (429, False)
    clock.moment = datetime(2026, 11, 23, 23, 1, tzinfo=UTC)
    assert post(timed).status_code == 201


# -- posts that are there ----------------------------------------------------------------------------------------


def test_a_post_is_read_by_a_page_alone_and_by_an_encoded_urn(double: LinkedInDouble) -> None:
    mine, pages = path_of(post(double)), path_of(post(double, author=ORGANISATION, token=PAGE_TOKEN))
    raw = ask(double, "GET", "/rest/posts/urn:li:share:1")
    assert (raw.status_code, raw.json()["code"]) == (400, "ILLEGAL_ARGUMENT")
    refused = ask(double, "GET", mine)
    assert (refused.status_code, "partnerApiPostsExternal.GET.20260901" in refused.text) == (403, True)
    assert ask(double, "GET", mine, token=PAGE_TOKEN).status_code == 403  # r_member_social is closed to everybody
    assert ask(double, "GET", pages).status_code == 403
    answer = ask(double, "GET", pages, token=PAGE_TOKEN)
    assert (answer.status_code, answer.json()["commentary"], answer.json()["lifecycleState"]) == (
        200,
        "Hello.",
        "PUBLISHED",
    )


def test_posts_are_found_by_a_page_alone(double: LinkedInDouble) -> None:
    for text in ("One.", "Two.", "Three."):
        post(double, author=ORGANISATION, token=PAGE_TOKEN, commentary=text)
    post(double)
    query = "/rest/posts?q=author&author={}&count=2&start=0"
    refused = ask(double, "GET", query.format(quote(AUTHOR, safe="")), X_RestLi_Method="FINDER")
    assert (refused.status_code, "partnerApiPostsExternal.FINDER-author" in refused.text) == (403, True)
    found = ask(double, "GET", query.format(quote(ORGANISATION, safe="")), token=PAGE_TOKEN, X_RestLi_Method="FINDER")
    assert [one["commentary"] for one in found.json()["elements"]] == ["Three.", "Two."]
    assert found.json()["paging"] == {"start": 0, "count": 2, "links": [], "total": 3}


@pytest.mark.parametrize("forgets", [False, True])
def test_a_post_is_deleted_by_its_author(double: LinkedInDouble, forgets: bool) -> None:
    double.knobs.forgets_deleted = forgets
    path = path_of(post(double))
    double.tokens["other"] = Token(member="urn:li:person:other")
    double.tokens["poor"] = Token(scope=frozenset({"openid"}))
    assert ask(double, "DELETE", path).status_code == 400  # without its method
    assert ask(double, "DELETE", "/rest/posts/urn:li:share:1", X_RestLi_Method="DELETE").status_code == 400
    assert ask(double, "DELETE", path, token="other", X_RestLi_Method="DELETE").status_code == 404
    refused = ask(double, "DELETE", path, token="poor", X_RestLi_Method="DELETE")
    assert (refused.status_code, "partnerApiPostsExternal.DELETE.20260901" in refused.text) == (403, True)
    assert len(double.seen()) == 1
    assert ask(double, "DELETE", path, X_RestLi_Method="DELETE").status_code == 204
    assert ask(double, "DELETE", path, X_RestLi_Method="DELETE").status_code == (404 if forgets else 204)
    assert (double.seen(), double.deleted) == ([], [double.posts[0].urn])


def test_a_post_is_changed_in_part_and_only_with_the_method(double: LinkedInDouble) -> None:
    path = path_of(post(double))
    patch = {"patch": {"$set": {"commentary": "New (cut)"}}}
    assert ask(double, "POST", path, patch).status_code == 400
    assert double.posts[0].text == "Hello."
    assert ask(double, "POST", path, patch, X_RestLi_Method="PARTIAL_UPDATE").status_code == 204
    assert double.posts[0].text == "New "
    title: dict[str, Any] = {"patch": {"$set": {"content": {}}}}
    assert ask(double, "POST", path, title, X_RestLi_Method="PARTIAL_UPDATE").status_code == 403


def test_a_member_may_not_comment(double: LinkedInDouble) -> None:
    path = path_of(post(double)).replace("/posts/", "/socialActions/") + "/comments"
    comment = {"actor": AUTHOR, "message": {"text": "First (really)!"}}
    refused = ask(double, "POST", path, comment)
    assert (refused.status_code, "partnerApiSocialActions.CREATE.20260901" in refused.text) == (403, True)
    double.tokens["community"] = Token(scope=frozenset({"w_member_social_feed"}))
    assert ask(double, "POST", path, comment, token="community").status_code == 201
    assert double.comments == [(double.posts[0].urn, "First (really)!")]


# -- the script --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["drop", "reset", "accept-then-drop", "accept-then-reset", "accept-then-cut"])
def test_a_broken_connection_is_accepted_only_where_the_script_says_so(double: LinkedInDouble, fault: str) -> None:
    double.faults.append(fault)
    with pytest.raises(httpx.TransportError):
        post(double)
    assert len(double.posts) == fault.startswith("accept")


@pytest.mark.parametrize("fault", ["hang", "accept-then-hang"])
def test_a_silence_is_accepted_only_where_the_script_says_so(double: LinkedInDouble, fault: str) -> None:
    double.faults.append(fault)
    with pytest.raises(httpx.ReadTimeout):
        HTTP.post(f"{double.url}/rest/posts", headers=HEADERS, json=BODY, timeout=0.3)
    assert len(double.posts) == fault.startswith("accept")


@pytest.mark.parametrize(
    ("fault", "status", "accepted", "words"),
    [
        ("500-before", 500, 0, "INTERNAL_SERVER_ERROR"),
        ("html-500", 500, 0, "<html>"),
        ("503:9", 503, 0, "SERVICE_UNAVAILABLE"),
        ("429:9", 429, 0, "TOO_MANY_REQUESTS"),
        ("429-day", 429, 0, "APPLICATION_AND_MEMBER DAY"),
        ("ghost", 422, 0, "DUPLICATE_POST"),
        ("418:short", 418, 0, "short"),
        ("500-after-accept", 500, 1, "INTERNAL_SERVER_ERROR"),
        ("504-after-accept", 504, 1, "Gateway"),
        ("no-id-header", 201, 1, ""),
        ("200", 200, 1, ""),
    ],
)
def test_the_script_answers(double: LinkedInDouble, fault: str, status: int, accepted: int, words: str) -> None:
    double.faults.append(fault)
    answer = post(double)
    assert (answer.status_code, len(double.posts), words in answer.text) == (status, accepted, True)
    assert answer.headers.get("retry-after") == ("9" if fault.endswith(":9") else None)
    assert not double.faults


def test_it_runs_as_a_process_of_its_own_and_remembers(tmp_path: Path) -> None:
    port_file, world = tmp_path / "port", tmp_path / "world.jsonl"
    command = [sys.executable, "-m", "tests.doubles.linkedin", "--port-file", str(port_file), "--world", str(world)]
    process = subprocess.Popen([*command, "--faults", "accept-then-drop"], cwd=Path(__file__).parents[2])
    try:
        while not port_file.exists():
            assert process.poll() is None
            time.sleep(0.02)
        double = LinkedInDouble()
        double.url = f"http://127.0.0.1:{port_file.read_text()}"
        with pytest.raises(httpx.TransportError):
            post(double)
        named = post(double)
    finally:
        process.terminate()
        process.wait(10)
    (line,) = world.read_text().splitlines()
    assert json.loads(line)["urn"] in named.text
    with LinkedInDouble(world=world) as again:
        assert [dataclasses.asdict(post) for post in again.posts] == [json.loads(line)]
