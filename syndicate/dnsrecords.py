"""Whether the records in DNS let others believe our mail: SPF (RFC 7208), DKIM (RFC 6376), DMARC (RFC 9989), MX.

Pure: it judges what a `Look` answers. What could not be looked up is said so, and never taken for missing.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from syndicate.dkim import ADVISED, Dkim

Look = Callable[[str, str], list[str] | None]
"""(name, type) -> the texts of the records ("10 mx.example.org." for MX); [] where there is none, None where it could
not be found out."""

MOST_TERMS = 10  # of an SPF record that ask DNS (RFC 7208 section 4.6.4)
MOST_VOIDS = 2  # of these that find nothing
_ASKING = {"include", "a", "mx", "ptr", "exists", "redirect"}
_MECHANISM = re.compile(r"([+?~-]?)(all|include|a|mx|ptr|ip4|ip6|exists)(?::([^/]*))?(?:/.*)?", re.IGNORECASE)
_REMOVED = {"pct", "rf", "ri"}  # from DMARC by RFC 9989 appendix C.
_LEVELS = 8  # names that a walk up the tree asks at most (RFC 9989 section 4.10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record, judged. `unknown`: DNS did not say."""

    what: str
    level: Literal["ok", "warn", "fail", "unknown"]
    text: str


# --- SPF ------------------------------------------------------------------------------------------------------------


def spf(domain: str, look: Look) -> Record:
    """Who may send with `domain` as envelope sender. Whether our mail server is among them is not judged."""
    found = _versioned(look(domain, "TXT"), "v=spf1")
    if found is None:
        return _unknown("SPF", domain)
    if not found:
        return _fail("SPF", f'{domain} has none: publish a TXT record there, like "v=spf1 include:YOUR-RELAY -all"')
    if len(found) > 1:
        return _fail("SPF", f"{domain} has {len(found)}: make one of them, receivers ignore two (RFC 7208 section 4.5)")
    count = _Count(look)
    try:
        end = count.walk(domain, found[0])
    except _Broken as error:
        return _fail("SPF", f"{domain}: {error}")
    asked = f"{count.terms} of {MOST_TERMS} look-ups"
    if count.terms > MOST_TERMS:
        return _fail("SPF", f"{domain} asks for more than {MOST_TERMS} look-ups: receivers give up (RFC 7208, 4.6.4)")
    if count.unknown:
        return Record(what="SPF", level="unknown", text=f"{count.unknown} could not be looked up; {asked}")
    if end == "+":
        return _fail("SPF", f'{domain} ends in "+all": it lets everybody send as you; write "-all"')
    if count.voids > MOST_VOIDS:
        return _fail("SPF", f"{domain} names {count.voids} domains without a record: receivers give up after two")
    if end not in ("-", "~"):
        return _warn("SPF", f'{domain} does not say what of all others: end it with "-all"; {asked}')
    rest = "; ptr is no longer to be used" if count.ptr else ""
    return Record(
        what="SPF", level="warn" if rest else "ok",
        text=f"{domain}: {asked}{rest}; that it names your mail server cannot be seen from here",
    )  # fmt: skip


class _Broken(Exception):
    """A record that receivers call a permanent error."""


class _Count:
    """What following a record to its end asks for."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self.terms = self.voids = 0
        self.ptr = False
        self.unknown = ""

    def walk(self, domain: str, record: str) -> str:
        """The sign before `all`; "" where none is said. Raises _Broken."""
        redirect, end = "", ""
        for term in record.split()[1:]:
            name, equals, value = term.partition("=")
            if equals and re.fullmatch(r"[A-Za-z][A-Za-z0-9._-]*", name):
                redirect = value if name.lower() == "redirect" else redirect
                continue
            found = _MECHANISM.fullmatch(term)
            if not found:
                raise _Broken(f"its SPF record holds {term[:60]!r}, which nobody knows (RFC 7208 section 5)")
            kind = found[2].lower()
            if kind == "all":
                end = found[1] or "+"
                break
            self._term(domain, kind, found[3] or "")
        if redirect and not end and self._ask():
            end = self._follow(redirect)
        return end

    def _ask(self) -> bool:
        self.terms += 1
        return self.terms <= MOST_TERMS

    def _term(self, domain: str, kind: str, target: str) -> None:
        if kind not in _ASKING or not self._ask():
            return
        self.ptr = self.ptr or kind == "ptr"
        if kind == "include":
            self._follow(target)
        elif kind in ("a", "mx") and "%" not in target:
            name = target or domain
            found = self._look(name, kind.upper())
            if found == [] and kind == "a":
                found = self._look(name, "AAAA")
            if found is None:
                self.unknown = name
            elif not found:
                self.voids += 1

    def _follow(self, target: str) -> str:
        if "%" in target:  # a macro: only a mail that comes can fill it
            return ""
        found = _versioned(self._look(target, "TXT"), "v=spf1")
        if found is None:
            self.unknown = target
            return ""
        if len(found) != 1:
            raise _Broken(f"it includes {target}, which has {len(found) or 'no'} SPF record (RFC 7208 section 5.2)")
        return self.walk(target, found[0])


# --- DKIM -----------------------------------------------------------------------------------------------------------


def dkim(key: Dkim, look: Look) -> Record:
    """Whether receivers find our public key where the signature sends them."""
    found = look(key.place, "TXT")
    if found is None:
        return _unknown("DKIM", key.place)
    publish = f"publish a TXT record at {key.place}: {key.record}"
    if not found:
        return _fail("DKIM", f"there is no key: {publish}")
    if len(found) > 1:
        return _fail("DKIM", f"{key.place} has {len(found)} records: leave one of them (RFC 6376 section 3.6.2.2)")
    tags = _tags(found[0])
    public = re.sub(r"\s", "", tags.get("p", ""))
    if tags.get("v", "DKIM1") != "DKIM1" or "p" not in tags:
        return _fail("DKIM", f"the record is no key: {publish}")
    if not public:
        return _fail("DKIM", f"the key is revoked (p= is empty): {publish}")
    if tags.get("k", "rsa").lower() != key.kind or not _same_key(public, key.public):
        return _fail("DKIM", f"another key than email.dkim.key is there: {publish}")
    if "sha256" not in tags.get("h", "sha256").lower() or tags.get("s", "*") not in ("*", "email"):
        return _fail("DKIM", f"the record allows no signature of mail by sha256 (h=, s=): {publish}")
    return _key_remarks(key, tags)


def _key_remarks(key: Dkim, tags: dict[str, str]) -> Record:
    told = []
    if "y" in tags.get("t", "").split(":"):
        told.append("it says t=y (a test): receivers treat the mail as unsigned, remove it")
    if key.kind == "rsa" and key.bits < ADVISED:
        told.append(f"the key has {key.bits} bits: Gmail advises {ADVISED}")
    if key.kind == "ed25519":
        told.append("not every receiver knows Ed25519: an RSA key of 2048 bits is believed by all")
    return Record(what="DKIM", level="warn" if told else "ok", text="; ".join([f"{key.place} holds our key", *told]))


def _same_key(published: str, ours: str) -> bool:
    """RSA keys are published as SubjectPublicKeyInfo, or bare as RFC 6376 section 3.6.1 said first."""
    if published == ours:
        return True
    try:
        bare, whole = base64.b64decode(published, validate=True), base64.b64decode(ours)
    except (ValueError, binascii.Error):
        return False
    return len(bare) > 100 and whole.endswith(bare)


# --- DMARC ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Policy:
    at: str  # the domain, without _dmarc
    tags: dict[str, str]


class _Unanswered(Exception):
    """DNS did not say."""


def dmarc(sender: str, look: Look, *, spf_domain: str, dkim_domain: str = "") -> Record:
    """Whether there is a policy for the From domain, and whether our SPF or DKIM domain counts for it.

    An empty `dkim_domain`: the relay signs, as whom is not known.
    """
    try:
        walked = list(_walk(sender, look))
        if not walked:
            text = f'{sender} has no policy: publish a TXT record at _dmarc.{sender}, like "v=DMARC1; p=none"'
            return _fail("DMARC", text)
        policy = walked[0] if walked[0].at == sender else _organisation(sender, walked)
        return _judged(policy, sender, look, spf_domain, dkim_domain)
    except _Unanswered as error:
        return _unknown("DMARC", str(error))


def _judged(policy: _Policy, sender: str, look: Look, spf_domain: str, dkim_domain: str) -> Record:
    tags = policy.tags
    spf_counts = _aligned(spf_domain, sender, tags.get("aspf", "r"), look)
    dkim_counts = bool(dkim_domain) and _aligned(dkim_domain, sender, tags.get("adkim", "r"), look)
    if not spf_counts and not dkim_counts:
        return _fail("DMARC", f"neither {spf_domain} nor {dkim_domain or 'a signature'} counts for mail from {sender}")
    if dkim_domain and not dkim_counts:
        strict = f"adkim=s in _dmarc.{policy.at} wants them equal" if tags.get("adkim", "r") == "s" else "they differ"
        return _fail("DMARC", f"the signature of {dkim_domain} does not count for {sender}: {strict}")
    below = policy.at != sender
    wanted = (tags.get("sp") if below else None) or tags.get("p") or "none"
    told = []
    if removed := sorted(_REMOVED & tags.keys()):
        told.append(f"{', '.join(removed)} mean nothing any more (RFC 9989): remove them")
    if wanted not in ("none", "quarantine", "reject"):
        told.append(f"p={wanted[:20]} is no policy: receivers take it for none")
    if "rua" not in tags:
        told.append("no rua= tells where reports go")
    level: Literal["ok", "warn"] = "warn" if told else "ok"
    return Record(what="DMARC", level=level, text="; ".join([f"_dmarc.{policy.at} says p={wanted}", *told]))


def _walk(domain: str, look: Look) -> Iterator[_Policy]:
    """The policies at a name and above it, nearest first (RFC 9989 section 4.10)."""
    labels = domain.split(".")
    names = [labels] + [labels[start:] for start in range(max(1, len(labels) - _LEVELS + 1), len(labels))]
    for name in (".".join(name) for name in names):
        found = _versioned(look(f"_dmarc.{name}", "TXT"), "v=DMARC1")
        if found is None:
            raise _Unanswered(f"_dmarc.{name}")
        if len(found) == 1:  # of two at one name none counts
            yield _Policy(name, _tags(found[0]))


def _organisation(domain: str, walked: list[_Policy]) -> _Policy:
    """The policy that tells where the organisation begins (RFC 9989 section 4.10.2)."""
    for policy in walked:
        if policy.tags.get("psd") == "n":
            return policy
        if policy.tags.get("psd") == "y" and policy.at != domain:
            return policy
    return walked[-1]


def _organisational_domain(domain: str, look: Look) -> str:
    walked = list(_walk(domain, look))
    if not walked:
        return domain
    policy = _organisation(domain, walked)
    if policy.tags.get("psd") == "y" and policy.at != domain:  # of a registry: one label below it
        return ".".join(domain.split(".")[-(policy.at.count(".") + 2) :])
    return policy.at


def _aligned(domain: str, sender: str, mode: str, look: Look) -> bool:
    if domain == sender:
        return True
    return mode != "s" and _organisational_domain(domain, look) == _organisational_domain(sender, look)


# --- the domain itself ----------------------------------------------------------------------------------------------


def mx(domain: str, look: Look) -> Record:
    """Whether answers and delivery reports find a way back; receivers look at that before they take mail."""
    servers = look(domain, "MX")
    if servers is None:
        return _unknown("MX", domain)
    if [server.split()[-1] for server in servers] == ["."]:
        return _warn(
            "MX", f"{domain} says that it takes no mail (RFC 7505): nobody can answer, some refuse such senders"
        )
    if servers:
        return Record(what="MX", level="ok", text=f"{domain} takes mail at {servers[0].split()[-1].rstrip('.')}")
    addresses = [look(domain, kind) for kind in ("A", "AAAA")]
    if any(addresses):
        return Record(what="MX", level="ok", text=f"{domain} takes mail at its own address")
    if None in addresses:
        return _unknown("MX", domain)
    return _fail("MX", f"{domain} has neither MX nor address: many refuse mail from a domain that is not there")


# --- reading --------------------------------------------------------------------------------------------------------


def _versioned(texts: list[str] | None, version: str) -> list[str] | None:
    """The records of a version among all texts at a name."""
    if texts is None:
        return None
    return [text for text in texts if re.match(rf"{re.escape(version)}(?:[\s;]|$)", text, re.IGNORECASE)]


def _tags(record: str) -> dict[str, str]:
    """A list of `tag=value` (RFC 6376 section 3.2); what is none is passed over."""
    pairs = (part.partition("=") for part in record.split(";"))
    return {name.strip().lower(): value.strip() for name, equals, value in pairs if equals}


def _unknown(what: str, name: str) -> Record:
    return Record(what=what, level="unknown", text=f"{name} could not be looked up: is there a name server?")


def _warn(what: str, text: str) -> Record:
    return Record(what=what, level="warn", text=text)


def _fail(what: str, text: str) -> Record:
    return Record(what=what, level="fail", text=text)
