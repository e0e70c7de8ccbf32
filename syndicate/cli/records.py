"""`check --online`: what DNS and the world outside say about our mail. It sends nothing that anybody would notice."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from syndicate.cli.findings import Finding
from syndicate.errors import ConfigError

if TYPE_CHECKING:
    from syndicate.config import EmailSettings, Settings
    from syndicate.dkim import Dkim
    from syndicate.dnsrecords import Look, Record

ONE = 5.0  # seconds for one question to DNS
ALL = 20.0  # seconds for all of them
POST = 10.0  # seconds for the page that unsubscribes
_NOBODY = 0  # the subscriber of test letters: leaving changes nothing


def online(settings: Settings, look: Look | None = None) -> Iterator[Finding]:
    """The mail server, the records of the sender's domain, the way out. `look` asks DNS; None: this machine's own."""
    email = settings.email
    if email is None:
        return
    yield _greeting(email)
    yield from _records(settings, email, look or ask_dns())
    yield from _way_out(settings)


def ask_dns(servers: Sequence[str] = (), port: int = 53, *, one: float = ONE, whole: float = ALL) -> Look:
    """What asks the name servers of this machine, or those named, for `one` second a question and `whole` in all."""
    import dns.exception
    import dns.name
    import dns.resolver

    until = time.monotonic() + whole
    try:
        resolver = dns.resolver.Resolver(configure=not servers)
    except dns.exception.DNSException:  # no resolv.conf: nobody can be asked
        return lambda name, kind: None
    if servers:
        resolver.nameservers, resolver.port = list(servers), port
    known: dict[tuple[str, str], list[str] | None] = {}

    def ask(name: str, kind: str) -> list[str] | None:
        left = min(one, until - time.monotonic())
        if left <= 0:
            return None
        try:
            found = resolver.resolve(dns.name.from_text(name), kind, lifetime=left, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except (dns.exception.DNSException, OSError, UnicodeError):
            return None
        return [
            b"".join(data.strings).decode("utf-8", "replace") if kind == "TXT" else data.to_text() for data in found
        ]

    def look(name: str, kind: str) -> list[str] | None:
        if (name, kind) not in known:
            known[name, kind] = ask(name, kind)
        return known[name, kind]

    return look


def _greeting(email: EmailSettings) -> Finding:
    """Does the mail server answer at all, under that name and port?"""
    smtp = email.smtp
    where = f"{smtp.host}:{smtp.port}"
    try:
        with socket.create_connection((smtp.host, smtp.port), timeout=10) as connection:
            greeting = connection.recv(500) if smtp.security != "tls" else b"220 (TLS from the first byte)"
    except OSError as error:
        return Finding("mail server", False, f"{where}: {error.strerror or error}; check email.smtp.host and port")
    words = greeting.decode("utf-8", "replace").strip().splitlines()
    return Finding("mail server", greeting.startswith(b"220"), f"{where} says {words[0] if words else 'nothing'!r}")


def _records(settings: Settings, email: EmailSettings, look: Look) -> Iterator[Finding]:
    from concurrent.futures import ThreadPoolExecutor

    from syndicate import dnsrecords
    from syndicate.app import signature
    from syndicate.config.values import is_example_domain, is_reserved_domain

    domain = email.sender_domain
    if is_example_domain(domain) or is_reserved_domain(domain):
        yield Finding("DNS", True, f"{domain} is nobody's domain: nothing was looked up")
        return
    try:
        dkim = signature(settings)
    except ConfigError:  # told with the configuration
        dkim = None
    signed, envelope = dkim.domain if dkim else "", email.envelope_domain
    questions: list[Callable[[], Record]] = [
        *(partial(dnsrecords.mx, one, look) for one in dict.fromkeys([domain, envelope])),
        lambda: dnsrecords.spf(envelope, look),
        lambda: dnsrecords.dmarc(domain, look, spf_domain=envelope, dkim_domain=signed),
        *_dkim_question(dkim, look),
    ]
    with ThreadPoolExecutor(len(questions)) as pool:
        for record in pool.map(lambda question: question(), questions):
            yield _finding(record)
    if not email.dkim.domain:
        yield Finding(
            "DKIM", True, "email.dkim.domain is empty: your mail server must sign, as a domain of the sender's"
        )


def _dkim_question(dkim: Dkim | None, look: Look) -> list[Callable[[], Record]]:
    from syndicate import dnsrecords

    return [lambda: dnsrecords.dkim(dkim, look)] if dkim else []


def _finding(record: Record) -> Finding:
    return Finding(record.what, record.level != "fail", record.text, is_remark=record.level in ("warn", "unknown"))


def _way_out(settings: Settings) -> Iterator[Finding]:
    """Would a mail provider's own button work?"""
    from syndicate.app import known_secret
    from syndicate.config import is_loopback_url
    from syndicate.signer import Signer

    base, secret = settings.web.public_url, known_secret(settings)
    if is_loopback_url(base):
        text = f"{base} leads to this machine: set web.public_url before mail is live"
        yield Finding("way out", True, text, is_remark=True)
        return
    if not base.startswith("https://"):
        text = f"{base} is not https: no mail program shows its own button (RFC 8058 section 3.1)"
        yield Finding("way out", True, text, is_remark=True)
    if secret is None:
        yield Finding("way out", True, "there is no secret yet: the first `syndicate run` makes it", is_remark=True)
        return
    yield leave(f"{base}/unsubscribe/{Signer(secret).token('unsubscribe', _NOBODY)}", base)


def leave(url: str, base: str) -> Finding:
    """Press the button as a mail provider does (RFC 8058 section 3.2); `url` is nobody's, so that nobody leaves.

    The address in the answer's place is `base`: a token is not shown.
    """
    import httpx

    try:
        answer = httpx.post(url, data={"List-Unsubscribe": "One-Click"}, timeout=POST, follow_redirects=False)
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        text = f"{base} cannot be reached as readers would: {error or type(error).__name__}"
        return Finding("way out", False, f"{text}; is `syndicate run` up, and its certificate one that all trust?")
    text = f"{base}/unsubscribe/… answers {answer.status_code}"
    if answer.status_code != 200:
        text += ": readers could not leave; it must lead to `syndicate run` with this `secret`, without a redirect"
    return Finding("way out", answer.status_code == 200, text)
