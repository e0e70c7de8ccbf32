"""Signing up and choosing, over the web: one answer for all, no act by GET, and forms from anywhere."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.routing import Route

from syndicate.config import Site, WebSettings
from syndicate.web.app import build, keepers, places
from syndicate.web.office import Choices, Offer
from syndicate.web.peer import network
from syndicate.web.stage import Stage
from tests.doubles.office import SmallOffice, SmallSignup

ANN = "ann@harbour.example"


@pytest.fixture
def signup(office: SmallOffice) -> SmallSignup:
    assert office.signup is not None
    return office.signup


def stamp_of(page: str) -> str:
    found = re.search(r'name="stamp" value="([^"]+)"', page)
    assert found
    return found[1]


async def filled_in(client: httpx.AsyncClient, signup: SmallSignup, **fields: Any) -> dict[str, Any]:
    """What a browser sends after a person took some seconds over our form."""
    stamp = stamp_of((await client.get("/subscribe")).text)
    signup.wait()
    return {"stamp": stamp, "email": ANN, "digest": ["weekly"], "homepage": ""} | fields


# Every route


def test_every_route_is_a_place_with_a_door_that_somebody_keeps(office: SmallOffice) -> None:
    stage = Stage(office)
    known = {place.path: place for place in places(office, stage)}
    routes = build(office).routes
    assert all(type(route) is Route for route in routes)
    assert {route.path for route in routes if isinstance(route, Route)} == set(known)
    doors = {
        path: (place.door, *place.methods) for path, place in known.items() if "{" in path or "POST" in place.methods
    }
    assert (
        doors.items()
        >= {
            "/subscribe": ("open", "GET", "POST"),
            "/confirm/{token}": ("token", "GET", "POST"),
            "/preferences/{token}": ("token", "GET", "POST"),
            "/unsubscribe/{token}": ("token", "GET", "POST"),
        }.items()
    )
    assert all(place.door == "token" for path, place in known.items() if "{token}" in path)
    assert {place.door for place in known.values()} <= set(keepers(office, stage))


async def test_get_and_head_change_nothing_anywhere(
    client: httpx.AsyncClient, office: SmallOffice, signup: SmallSignup
) -> None:
    for place in places(office, Stage(office)):
        path = place.path.replace("{token}", office.signer.token(place.purpose, 1 if "confirm" in place.path else 7))
        for method in ("GET", "HEAD"):
            await client.request(method, path, params={"do": "save", "email": ANN, "List-Unsubscribe": "One-Click"})
    assert office.people == {7}
    assert (signup.asked, signup.confirmed, signup.people) == ([], [], {7: Choices(digests=["weekly"])})


# Asking


async def test_who_fills_in_the_form_is_told_to_look_into_his_mailbox(
    client: httpx.AsyncClient, signup: SmallSignup
) -> None:
    answer = await client.post("/subscribe", data=await filled_in(client, signup, digest=["each", "weekly", "odd"]))
    assert answer.status_code == 200
    assert "look into your mailbox" in answer.text
    assert "set-cookie" not in answer.headers
    ((email, digests, told, _),) = signup.asked
    assert (email, digests) == (ANN, ["weekly", "each"])
    assert told["from"] == "http://127.0.0.1:8080/subscribe"
    assert "The Harbour Post uses your address for these letters" in told["shown"]
    assert told["shown"] in (await client.get("/subscribe")).text


async def test_with_one_digest_nobody_is_asked_which(client: httpx.AsyncClient, signup: SmallSignup) -> None:
    signup.offers = [Offer(name="weekly", when="every Friday at 09:00")]
    page = (await client.get("/subscribe")).text
    assert "checkbox" not in page
    assert "every Friday at 09:00" in page
    await client.post("/subscribe", data=await filled_in(client, signup, digest=[]))
    assert [digests for _, digests, _, _ in signup.asked] == [["weekly"]]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"email": ""}, "Please type your mail address"),
        ({"email": "ann@"}, "no mail address"),
        ({"email": "ann@harbour.example\r\nBcc: eve@sea.example"}, "no mail address"),
        ({"email": "ann\0@harbour.example"}, "no mail address"),
        ({"email": "{{ 7 * 7 }}@<script>"}, "no mail address"),
        ({"email": "a" * 300 + "@harbour.example"}, "no mail address"),
        ({"digest": []}, "choose one at least"),
        ({"digest": ["monthly"]}, "choose one at least"),
    ],
)
async def test_a_slip_is_said_beside_what_was_typed(
    client: httpx.AsyncClient, signup: SmallSignup, fields: dict[str, Any], words: str
) -> None:
    answer = await client.post("/subscribe", data=await filled_in(client, signup, **fields))
    assert answer.status_code == 422
    assert words in answer.text
    assert "<title>Error: " in answer.text
    assert 'role="alert"' in answer.text
    assert "<script>" not in answer.text
    assert "49" not in answer.text
    assert signup.asked == []


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"email=%ff%fe", "application/x-www-form-urlencoded"),
        (b"email=\xff", "application/x-www-form-urlencoded"),
        (b"&".join([b"digest=weekly"] * 80), "application/x-www-form-urlencoded"),
        (b'{"email": "ann@harbour.example"}', "application/json"),
        (b"--x\r\n", "multipart/form-data; boundary=x"),
        (b"email=ann%40harbour.example", ""),
    ],
)
async def test_what_is_no_form_gets_the_form(
    client: httpx.AsyncClient, signup: SmallSignup, content: bytes, kind: str
) -> None:
    answer = await client.post("/subscribe", content=content, headers={"content-type": kind})
    assert answer.status_code == 400
    assert 'name="email"' in answer.text
    assert signup.asked == []


async def test_who_falls_into_the_trap_sees_what_all_see_and_is_not_written_down(
    client: httpx.AsyncClient, signup: SmallSignup
) -> None:
    good = await client.post("/subscribe", data=await filled_in(client, signup))
    trapped = await client.post("/subscribe", data=await filled_in(client, signup, homepage="https://spam.example"))
    assert (trapped.status_code, trapped.text) == (good.status_code, good.text)
    role = await client.post("/subscribe", data=await filled_in(client, signup, email="abuse@harbour.example"))
    assert role.text == good.text.replace(ANN, "abuse@harbour.example")
    assert len(signup.asked) == 1


@pytest.mark.parametrize("how", ["missing", "false", "of another purpose", "too quick", "too old", "of tomorrow"])
async def test_a_form_that_was_not_filled_in_here_just_now_needs_one_more_press(
    client: httpx.AsyncClient, office: SmallOffice, signup: SmallSignup, how: str
) -> None:
    now = int(signup.moment.timestamp())
    stamp = {
        "missing": "", "false": "x" * 24, "of another purpose": office.signer.token("confirm", now - 60),
        "too quick": office.signer.token("form", now - 1), "too old": office.signer.token("form", now - 86_500),
        "of tomorrow": office.signer.token("form", now + 60),
    }[how]  # fmt: skip
    foreign = {"origin": "https://harbour.example", "referer": "https://harbour.example/about"}
    sent = {"email": ANN, "digest": "each"} | ({"stamp": stamp} if stamp else {})
    answer = await client.post("/subscribe", data=sent, headers=foreign)
    assert answer.status_code == 200
    assert "One more press" in answer.text
    assert f'value="{ANN}"' in answer.text
    assert 'value="each" checked' in answer.text
    assert signup.asked == []
    signup.wait()
    await client.post("/subscribe", data=sent | {"stamp": stamp_of(answer.text)})
    assert [email for email, *_ in signup.asked] == [ANN]


async def test_where_a_pasted_form_stood_is_kept_on_the_way_through_ours(
    client: httpx.AsyncClient, signup: SmallSignup
) -> None:
    pasted = {"email": ANN, "digest": "each"}
    page = (await client.post("/subscribe", data=pasted, headers={"origin": "https://harbour.example"})).text
    assert 'name="came" value="https://harbour.example"' in page
    signup.wait()
    again = pasted | {"stamp": stamp_of(page), "came": "https://harbour.example\r\n" + "x" * 200}
    answer = await client.post("/subscribe", data=again, headers={"origin": "null"})
    assert answer.headers["cache-control"] == "no-store"
    (kept,) = [told["from"] for _, _, told, _ in signup.asked]
    assert kept.startswith("a form at https://harbour.example x")
    assert len(kept) < 120


async def test_when_too_many_ask_it_is_said_and_nothing_kept(client: httpx.AsyncClient, signup: SmallSignup) -> None:
    signup.too_many = True
    answer = await client.post("/subscribe", data=await filled_in(client, signup))
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "3600"
    assert "Nothing was kept" in answer.text


async def test_during_rehearsal_sign_up_opens_soon_and_keeps_nothing(
    client: httpx.AsyncClient, signup: SmallSignup
) -> None:
    data = await filled_in(client, signup)
    signup.is_open = False
    for answer in (await client.get("/subscribe"), await client.post("/subscribe", data=data)):
        assert answer.status_code == 200
        assert "Sign-up opens soon" in answer.text
        assert "<form" not in answer.text
    assert signup.asked == []
    assert "/subscribe" not in (await client.get("/")).text


async def test_where_no_digest_is_mailed_there_is_no_sign_up(client: httpx.AsyncClient, office: SmallOffice) -> None:
    office.signup = None
    confirm = office.link("confirm", 1)
    for answer in (await client.get("/subscribe"), await client.post("/subscribe"), await client.get(confirm)):
        assert answer.status_code == 404
    assert "/subscribe" not in (await client.get("/")).text
    assert "this ends everything" in (await client.get(office.link("preferences"))).text
    await client.post(office.link("preferences"), data={"List-Unsubscribe": "One-Click"})
    assert office.people == set()


# The link


async def test_only_the_button_confirms_and_once(
    client: httpx.AsyncClient, office: SmallOffice, signup: SmallSignup
) -> None:
    link = office.link("confirm", 1)
    page = await client.get(link)
    assert "Yes, subscribe me" in page.text
    assert "every article as it appears" in page.text
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"
    first, second = [await client.post(link) for _ in range(2)]
    assert "You are subscribed<" in first.text
    assert "You are subscribed already" in second.text
    assert second.status_code == 200
    assert signup.confirmed == [1]
    assert "You are subscribed already" in (await client.get(link)).text


@pytest.mark.parametrize(("number", "status"), [(2, 200), (3, 200), (9, 404)])
async def test_used_old_and_unknown_links_say_so(
    client: httpx.AsyncClient, office: SmallOffice, signup: SmallSignup, number: int, status: int
) -> None:
    words = {2: "You are subscribed already", 3: "This link is too old", 9: "There is nothing here"}[number]
    for method in ("GET", "POST"):
        answer = await client.request(method, office.link("confirm", number))
        assert answer.status_code == status
        assert words in answer.text
    assert signup.confirmed == []


async def test_a_token_opens_only_what_it_was_made_for(client: httpx.AsyncClient, office: SmallOffice) -> None:
    purposes = ("confirm", "preferences", "unsubscribe")
    for made in purposes:
        token = office.signer.token(made, 1)
        for asked in purposes:
            assert (await client.get(f"/{asked}/{token}")).status_code == (200 if made == asked else 404)
            if made != asked:
                assert (await client.post(f"/{asked}/{token}")).status_code == 404
    assert office.people == {7}


# Choosing


async def test_preferences_show_what_a_person_gets_and_nothing_of_him(
    client: httpx.AsyncClient, office: SmallOffice, signup: SmallSignup
) -> None:
    page = (await client.get(office.link("preferences"))).text
    assert 'value="weekly" checked' in page
    assert 'value="each">' in page
    assert "@" not in page
    assert office.people == {7}


@pytest.mark.parametrize(
    ("sent", "digests", "days"),
    [
        ({"digest": ["each"], "rest": "none"}, ["each"], None),
        ({"digest": ["each", "weekly", "odd"], "rest": "week"}, ["weekly", "each"], 7),
        ({"digest": ["weekly"], "rest": "quarter"}, ["weekly"], 91),
        ({"digest": ["weekly"], "rest": "for ever"}, ["weekly"], None),
        ({}, [], None),
    ],
)
async def test_what_is_chosen_is_kept(
    client: httpx.AsyncClient, office: SmallOffice, signup: SmallSignup, sent: Any, digests: list[str], days: int | None
) -> None:
    answer = await client.post(office.link("preferences"), data={"do": "save", **sent})
    assert answer.status_code == 200
    assert "Saved" in answer.text
    until = signup.moment + timedelta(days=days) if days else None
    assert signup.people[7] == Choices(digests=digests, paused_until=until)
    assert ("get no letters" in answer.text) is (not digests)


async def test_a_rest_can_be_kept_and_ended(
    client: httpx.AsyncClient, office: SmallOffice, signup: SmallSignup
) -> None:
    link, until = office.link("preferences"), signup.moment + timedelta(days=30)
    await client.post(link, data={"do": "save", "digest": "weekly", "rest": "month"})
    assert "nothing comes until 24 December 2026" in (await client.get(link)).text
    await client.post(link, data={"do": "save", "digest": "each", "rest": "keep"})
    assert signup.people[7] == Choices(digests=["each"], paused_until=until)
    await client.post(link, data={"do": "save", "digest": "each", "rest": "none"})
    assert signup.people[7] == Choices(digests=["each"])


@pytest.mark.parametrize(
    "body",
    [
        {"data": {"List-Unsubscribe": "One-Click"}},
        {"data": {"List-Unsubscribe": "One-Click", "digest": "weekly", "do": "save"}},
        {"files": {"List-Unsubscribe": (None, "One-Click")}},
    ],
)
async def test_the_second_button_and_one_click_end_everything(
    client: httpx.AsyncClient, office: SmallOffice, body: dict[str, Any]
) -> None:
    answer = await client.post(office.link("preferences"), **body)
    assert "You are unsubscribed" in answer.text
    assert office.people == set()


@pytest.mark.parametrize("body", [{}, {"data": {"digest": "weekly"}}, {"content": b"\xff\xfe"}])
async def test_a_post_that_says_nothing_changes_nothing(
    client: httpx.AsyncClient, office: SmallOffice, signup: SmallSignup, body: dict[str, Any]
) -> None:
    answer = await client.post(office.link("preferences"), **body)
    assert answer.status_code == 200
    assert 'value="weekly" checked' in answer.text
    assert (office.people, signup.people) == ({7}, {7: Choices(digests=["weekly"])})


async def test_the_link_of_a_test_letter_shows_the_page_and_changes_nothing(
    client: httpx.AsyncClient, office: SmallOffice, signup: SmallSignup
) -> None:
    link = office.link("preferences", 0)
    assert "came in a test letter" in (await client.get(link)).text
    assert "Nothing was changed" in (await client.post(link, data={"do": "save", "digest": "each"})).text
    assert signup.people == {7: Choices(digests=["weekly"])}


async def test_who_left_does_not_come_back_by_an_old_link(
    client: httpx.AsyncClient, office: SmallOffice, signup: SmallSignup
) -> None:
    link = office.link("preferences", 8)
    for answer in (await client.get(link), await client.post(link, data={"do": "save", "digest": "each"})):
        assert answer.status_code == 200
        assert "You get no mail from us" in answer.text
        assert 'href="/subscribe"' in answer.text
    assert 8 not in signup.people


# Names and networks


async def test_hostile_names_are_text_on_every_page(tmp_path: Path) -> None:
    name = '"><script>x</script>{{ 7 * 7 }}'
    office = SmallOffice(
        feed_folder=tmp_path, site=Site(title=name, url="https://a.example", language="ar"),
        web=WebSettings(public_url="https://news.example/post"),
        signup=SmallSignup(offers=[Offer(name=name, when="each"), Offer(name="b")], is_rehearsal=True),
    )  # fmt: skip
    assert office.signup is not None
    office.signup.people[7] = Choices(digests=[name], paused_until=office.signup.moment + timedelta(days=1))
    transport = httpx.ASGITransport(build(office))
    async with httpx.AsyncClient(transport=transport, base_url="http://evil.example") as client:
        asked = await filled_in(client, office.signup, digest=[name], email=ANN)
        answers = [
            await client.get("/subscribe"),
            await client.post("/subscribe", data=asked | {"email": name}),
            await client.post("/subscribe", data=asked),
            *[await client.get(office.link("confirm", number)) for number in (1, 2, 3)],
            await client.get(office.link("preferences")),
            await client.post(office.link("preferences"), data={"do": "save", "digest": name}),
        ]
    for answer in answers:
        assert "<script>" not in answer.text
        assert "49" not in answer.text.replace("&#", "")
        assert "evil.example" not in answer.text
        assert '<main lang="en" dir="ltr">' in answer.text
        assert 'href="/post/style.css?' in answer.text


@pytest.mark.parametrize(
    ("peer", "told", "counted"),
    [
        ("203.0.113.77", [], "203.0.113.0/24"),
        ("203.0.113.77", ["198.51.100.9"], "203.0.113.0/24"),  # whoever is not of the house is not believed
        ("127.0.0.1", [], None),
        ("127.0.0.1", ["198.51.100.9"], "198.51.100.0/24"),
        ("127.0.0.1", ["1.1.1.1, 198.51.100.9"], "198.51.100.0/24"),  # what stands left of it anybody can write
        ("127.0.0.1", ["1.1.1.1", "198.51.100.9:4711"], "198.51.100.0/24"),
        ("172.17.0.1", ["2001:db8:1:2:3::4"], "2001:db8:1:2::/64"),
        ("::1", ['"[2001:db8::1]:443"'], "2001:db8::/64"),
        ("::ffff:203.0.113.77", [], "203.0.113.0/24"),
        ("127.0.0.1", ["unknown"], None),
        ("127.0.0.1", ["10.0.0.8"], None),
        ("", ["198.51.100.9"], None),
        ("a socket", [], None),
    ],
)
def test_networks_are_counted_by_who_connects_or_by_what_our_own_proxy_says(
    peer: str, told: list[str], counted: str | None
) -> None:
    from starlette.requests import Request

    headers = [(b"x-forwarded-for", one.encode()) for one in told]
    assert network(Request({"type": "http", "client": (peer, 1) if peer else None, "headers": headers})) == counted
