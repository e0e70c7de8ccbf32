"""`check --online` with a real name server that we run: what it says, and that a dead one is no missing record."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from syndicate.cli.findings import Finding
from syndicate.cli.records import ask_dns, leave, online
from syndicate.config import Settings, load
from tests.doubles.nameserver import BROKEN, SILENT, NameServer, name_server
from tests.unit.test_dkim import pem, signer

OURS = signer("rsa")
LONG = " ".join(f'"{OURS.record[start : start + 200]}"' for start in range(0, len(OURS.record), 200))
SOUND = {
    ("news.example-press.org", "MX"): ["10 mx.example-press.org."],
    ("news.example-press.org", "TXT"): ['"verification=1"', '"v=spf1 include:relay.example-press.org" " -all"'],
    ("relay.example-press.org", "TXT"): ['"v=spf1 ip4:192.0.2.1 -all"'],
    ("_dmarc.example-press.org", "TXT"): ['"v=DMARC1; p=none; rua=mailto:dmarc@example-press.org"'],
    ("s2026._domainkey.news.example-press.org", "TXT"): [LONG],
}


def settings(tmp_path: Path, sender: str = "news@news.example-press.org", dkim: str = "example-press.org") -> Settings:
    key = tmp_path / "dkim.pem"
    key.write_text(pem("rsa"))
    path = tmp_path / "syndicate.toml"
    path.write_text(
        '[site]\ntitle = "T"\nurl = "https://t.test"\n[[sources]]\npath = "."\n'
        f'[email]\nsender = "{sender}"\n[email.smtp]\nport = 9\nsecurity = "none"\n'
        + (f'[email.dkim]\ndomain = "{dkim}"\nselector = "s2026"\nkey = {{ file = "dkim.pem" }}\n' if dkim else "")
    )
    return load(path, {})


def told(settings: Settings, server: NameServer, **limits: float) -> dict[str, Finding]:
    found = list(online(settings, ask_dns(["127.0.0.1"], server.port, **limits)))
    return {finding.what: finding for finding in found if finding.what in ("SPF", "DKIM", "DMARC", "MX", "DNS")}


def test_records_that_are_right_are_said_to_be(tmp_path: Path) -> None:
    with name_server(SOUND) as server:
        found = told(settings(tmp_path, dkim="news.example-press.org"), server)
    assert {what: finding.sign for what, finding in found.items()} == dict.fromkeys(
        ("MX", "SPF", "DMARC", "DKIM"), "ok"
    )
    assert "1 of 10 look-ups" in found["SPF"].text


CASES: list[tuple[dict[tuple[str, str], Any], str, str, str]] = [
    ({("news.example-press.org", "TXT"): ()}, "SPF", "PROBLEM", "publish a TXT record"),
    ({("s2026._domainkey.news.example-press.org", "TXT"): ()}, "DKIM", "PROBLEM", OURS.record),
    ({("_dmarc.example-press.org", "TXT"): ()}, "DMARC", "PROBLEM", "publish a TXT record"),
    ({("news.example-press.org", "MX"): ["0 ."]}, "MX", "note", "takes no mail"),
    ({("news.example-press.org", "MX"): BROKEN}, "MX", "note", "could not be looked up"),
    ({("relay.example-press.org", "TXT"): BROKEN}, "SPF", "note", "could not be looked up"),
]


@pytest.mark.parametrize(("changed", "what", "sign", "says"), CASES)
def test_what_is_wrong_is_told_with_what_mends_it(
    tmp_path: Path, changed: dict[tuple[str, str], Any], what: str, sign: str, says: str
) -> None:
    with name_server({**SOUND, **changed}) as server:
        found = told(settings(tmp_path, dkim="news.example-press.org"), server)
    assert found[what].sign == sign, found
    assert says in found[what].text
    assert {other.sign for name, other in found.items() if name != what} == {"ok"}


def test_a_name_server_that_is_silent_is_no_missing_record_and_is_not_waited_for_long(tmp_path: Path) -> None:
    begun = time.monotonic()
    with name_server(dict.fromkeys(SOUND, SILENT)) as server:
        found = told(settings(tmp_path, dkim="news.example-press.org"), server, one=0.2, whole=0.5)
    assert {finding.sign for finding in found.values()} == {"note"}
    assert all("could not be looked up" in finding.text for finding in found.values())
    assert time.monotonic() - begun < 3


def test_a_domain_that_is_nobodys_is_not_asked_for(tmp_path: Path) -> None:
    with name_server(SOUND) as server:
        found = told(settings(tmp_path, sender="news@example.org", dkim=""), server)
        assert server.asked == []
    assert found["DNS"].ok


def test_without_a_signature_of_ours_the_relay_is_named(tmp_path: Path) -> None:
    with name_server(SOUND) as server:
        found = told(settings(tmp_path, dkim=""), server)
    assert "your mail server must sign" in found["DKIM"].text
    assert found["DMARC"].sign == "ok"


class Button(BaseHTTPRequestHandler):
    """Answers as its path says, and keeps what it was sent."""

    pressed: ClassVar[list[tuple[str, bytes]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.pressed.append((self.headers["Content-Type"], body))
        self.send_response(int(self.path.rpartition("/")[2]))
        self.send_header("Location", "/elsewhere/200")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *said: object) -> None:
        pass


def test_the_button_of_mail_providers_is_pressed_for_nobody() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Button) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        base = f"http://127.0.0.1:{server.server_port}"
        found = {code: leave(f"{base}/unsubscribe/{code}", base) for code in (200, 302, 404, 500)}
        server.shutdown()
    assert [code for code, finding in found.items() if finding.ok] == [200]
    assert "without a redirect" in found[302].text
    assert set(Button.pressed) == {("application/x-www-form-urlencoded", b"List-Unsubscribe=One-Click")}
    gone = leave(f"{base}/unsubscribe/200", base)
    assert not gone.ok
    assert "cannot be reached" in gone.text


def test_the_way_out_of_a_site_that_is_not_public_yet_is_a_note(tmp_path: Path) -> None:
    site = settings(tmp_path, sender="news@example.org", dkim="")
    assert not (tmp_path / "var").exists()
    (found,) = [finding for finding in online(site, lambda name, kind: None) if finding.what == "way out"]
    assert found.sign == "note"
    assert not (tmp_path / "var").exists(), "check makes nothing"
