"""The newsroom's password, set by the command while the program runs: it counts at once, and nothing tells it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import httpx

from tests.acceptance import newsroom as make
from tests.acceptance.newsroom import Newsroom, clean_environment, until

Make = Callable[..., Newsroom]

WORD = "correct horse battery"


def typed(site: Newsroom, text: str, *options: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    line = site._line(("password", *options), None)
    done = subprocess.run(
        line, cwd=site.folder, env=clean_environment(), input=text, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def status(site: Newsroom, path: str, **sent: str) -> int:
    """Of a page, as a browser sees it that followed to where it was sent."""
    home = f"http://127.0.0.1:{site.port}"
    with httpx.Client(base_url=home, follow_redirects=True, trust_env=False) as client:
        return client.request("POST" if sent else "GET", path, data=sent or None, headers={"origin": home}).status_code


def test_a_password_counts_at_once_while_the_program_runs_and_stands_nowhere(newsroom: Make) -> None:
    site = newsroom()
    with site.daemon() as daemon:
        assert status(site, "/metrics") == 200
        assert WORD not in typed(site, f"{WORD}\n").stderr
        until(lambda: status(site, "/metrics") == 401, "the numbers are behind the password", 5)
        assert status(site, "/newsroom/login", password="another horse battery") == 403
        assert status(site, "/newsroom/login", password=WORD) == 200, "led on to the newsroom"
        typed(site, "", "--clear")
        until(lambda: status(site, "/metrics") == 200, "this machine alone gets in", 5)
        daemon.terminate()
        assert "wrong password" in daemon.words
        assert WORD not in daemon.words and "another horse" not in daemon.words
    assert WORD.encode() not in site.database.read_bytes()


def test_a_password_is_refused_that_is_short_or_could_not_count(newsroom: Make) -> None:
    site = newsroom()
    assert "12 characters" in typed(site, "short\n", code=2).stderr
    assert "UTF-8" in typed(site, "a bell \a in between\n", code=2).stderr
    printed = typed(site, f"{WORD}\n", "--print").stdout.strip()
    site.configure(web={"password": printed})
    assert "web.password" in typed(site, f"{WORD}\n", code=2).stderr
    assert "web.password" in typed(site, "", "--clear", code=2).stderr


def test_the_look_over_tells_of_a_newsroom_without_a_password_once_anything_is_live(newsroom: Make) -> None:
    site = newsroom()

    def notes() -> list[str]:
        return [one["text"] for one in site.ask("check") if one["what"] == "newsroom" and one["note"]]

    site.write(1)
    assert notes() == []
    site.configure(linkedin=make.linkedin("http://127.0.0.1:2526"))
    assert len(notes()) == 1
    site.configure(linkedin={"live": False}, email=make.email(2525))
    (note,) = notes()
    assert "`syndicate password` sets one" in note
    site.configure(web={"public_url": "https://news.courier.test"})
    assert notes() == [], "nothing is there then: all others are answered 404"
    site.configure(web={"public_url": f"http://127.0.0.1:{site.port}"})
    typed(site, f"{WORD}\n")
    assert notes() == []
