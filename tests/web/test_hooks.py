"""/hooks: who is heard, what his words come to, and what is never fetched. Certificates and HTTPS are real."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from syndicate import notices
from syndicate.errors import DeliveryError
from syndicate.guarded import GuardedFetcher
from syndicate.returning import kind_of
from syndicate.web.app import build
from tests.doubles.office import SmallHooks, SmallOffice

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOST = "sns.eu-west-1.amazonaws.com"
PEM_URL = f"https://{HOST}/SimpleNotificationService-0123456789abcdef.pem"
ASK_URL = f"https://{HOST}/?Action=ConfirmSubscription&TopicArn=arn&Token=abc"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:letters"


# --- Amazon, as made here ---------------------------------------------------------------------------------------------


def certificate(
    name: str, key: rsa.RSAPrivateKey, *, issuer: str = "", by: rsa.RSAPrivateKey | None = None, ca: bool = False,
    until: timedelta = timedelta(days=30),
) -> bytes:  # fmt: skip
    subject, signer = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one)]) for one in (name, issuer or name))
    made = (
        x509.CertificateBuilder()
        .subject_name(subject).issuer_name(signer).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=3000)).not_valid_after(NOW + until)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key((by or key).public_key()), critical=False
        )
        .add_extension(
            x509.KeyUsage(
                digital_signature=True, key_cert_sign=ca, crl_sign=ca, content_commitment=False, key_encipherment=False,
                data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
            ),
            critical=True,
        )
        .sign(by or key, SHA256())
    )  # fmt: skip
    return made.public_bytes(Encoding.PEM)


ROOT_KEY, HOST_KEY, SNS_KEY, OTHER_KEY = (rsa.generate_private_key(65537, 2048) for _ in range(4))
ROOT = certificate("Root of the tests", ROOT_KEY, ca=True)
SIGNING = certificate("sns.amazonaws.com", SNS_KEY, issuer="Root of the tests", by=ROOT_KEY)


def envelope(message: Any = None, *, key: rsa.RSAPrivateKey = SNS_KEY, version: str = "2", **changed: Any) -> bytes:
    """A message of SNS, signed; `late` fields are put in after it was."""
    late = changed.pop("late", {})
    kind = changed.get("Type", "Notification")
    said: dict[str, Any] = {
        "Type": kind, "MessageId": "m-1", "TopicArn": TOPIC, "Timestamp": "2026-11-24T11:59:00.000Z",
        "Message": message if isinstance(message, str) else json.dumps(message or bounce()),
        "SignatureVersion": version, "SigningCertURL": PEM_URL,
    }  # fmt: skip
    if kind != "Notification":
        said |= {"SubscribeURL": ASK_URL, "Token": "abc"}
    said |= changed
    names = ["Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    left_out = {"SubscribeURL", "Token"} if kind == "Notification" else {"Subject"}
    text = "".join(f"{name}\n{said[name]}\n" for name in names if name in said and name not in left_out)
    signature = key.sign(text.encode(), PKCS1v15(), SHA256() if version == "2" else SHA1())
    return json.dumps(said | {"Signature": base64.b64encode(signature).decode()} | late).encode()


def bounce(kind: str = "Permanent", part: str = "General", status: str = "5.1.1", **more: Any) -> dict[str, Any]:
    answer = f"smtp; 550 {status} said the server" if status else ""
    him = {"emailAddress": "ada@example.org", "action": "failed", "status": status, "diagnosticCode": answer}
    told = {"bounceType": kind, "bounceSubType": part, "feedbackId": "f-1", "bouncedRecipients": [him]}
    mail = {"timestamp": "2026-11-24T11:58:00.000Z", "source": "bounce+1.2.abc@example.net", "messageId": "x"}
    return {"notificationType": "Bounce", "bounce": told, "mail": mail} | more


# --- the office -------------------------------------------------------------------------------------------------------


@pytest.fixture
def hooks(office: SmallOffice) -> SmallHooks:
    assert isinstance(office.hooks, SmallHooks)
    office.hooks.pages[PEM_URL] = SIGNING
    return office.hooks


async def ses(client: httpx.AsyncClient, body: bytes) -> int:
    headers = {"content-type": "text/plain; charset=UTF-8"}
    return (await client.post("/hooks/ses", content=body, headers=headers)).status_code


async def postmark(client: httpx.AsyncClient, body: Any, password: str | None = "a password of the tests") -> int:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    auth = None if password is None else ("anybody", password)
    return (await client.post("/hooks/postmark", content=raw, auth=auth)).status_code


async def test_without_a_key_nothing_is_there(office: SmallOffice) -> None:
    for hooks in (None, SmallHooks(postmark_secret="", ses_topics=())):
        office.hooks = hooks
        async with httpx.AsyncClient(transport=httpx.ASGITransport(build(office)), base_url="http://x") as client:
            assert await ses(client, envelope()) == await postmark(client, {}) == 404


async def test_only_post_is_heard(client: httpx.AsyncClient) -> None:
    assert [(await client.get(f"/hooks/{name}")).status_code for name in ("ses", "postmark")] == [405, 405]


# --- SES --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["1", "2"])
async def test_a_signed_event_of_a_known_topic_is_heard(
    client: httpx.AsyncClient, hooks: SmallHooks, version: str
) -> None:
    assert await ses(client, envelope(version=version, Subject="Amazon SES")) == 200
    assert await ses(client, envelope(version=version, MessageId="m-2")) == 200
    (one, two) = hooks.taken
    assert (one.provider, one.event, one.marks.addresses) == ("ses", "f-1:0", ("ada@example.org",))
    assert one.event == two.event  # the same bounce through two subscriptions is one
    assert kind_of(one) == "hard"
    assert one.at == datetime(2026, 11, 24, 11, 58, tzinfo=UTC)
    assert "bounce+1.2.abc@example.net" in one.marks.paths
    assert hooks.asked == [PEM_URL]  # read once


FALSE: dict[str, bytes] = {
    "signed by somebody": envelope(key=OTHER_KEY),
    "changed afterwards": envelope(late={"Message": json.dumps(bounce(more=1))}),
    "another subject": envelope(late={"Subject": "now there is one"}),
    "another topic": envelope(TopicArn="arn:aws:sns:eu-west-1:210987654321:letters"),
    "topic changed afterwards": envelope(TopicArn=TOPIC + "2", late={"TopicArn": TOPIC}),
    "no topic": envelope(TopicArn="letters"),
    "certificate elsewhere": envelope(SigningCertURL="https://evil.example/SimpleNotificationService-0.pem"),
    "certificate in a bucket": envelope(SigningCertURL="https://sns-eu-west-1.s3.amazonaws.com/x.pem"),
    "certificate beside": envelope(SigningCertURL=f"https://{HOST}.evil.example/x.pem"),
    "certificate by name and password": envelope(SigningCertURL=f"https://{HOST}@evil.example/x.pem"),
    "certificate on another port": envelope(SigningCertURL=f"https://{HOST}:8443/x.pem"),
    "certificate in clear": envelope(SigningCertURL=f"http://{HOST}/x.pem"),
    "certificate of another region": envelope(SigningCertURL="https://sns.us-east-1.amazonaws.com/x.pem"),
    "certificate by a page": envelope(SigningCertURL=f"https://{HOST}/?Action=x"),
    "certificate with a line break": envelope(SigningCertURL=f"{PEM_URL}\n"),
    "version 3": envelope(late={"SignatureVersion": "3"}),
    "no version": envelope(late={"SignatureVersion": 2}),
    "no signature": envelope(late={"Signature": ""}),
    "half a signature": envelope(late={"Signature": "AAAA="}),
    "asking to be confirmed elsewhere": envelope(Type="SubscriptionConfirmation", SubscribeURL="https://evil.example/"),
    "a kind there is not": envelope(Type="Gossip"),
    "raw delivery": json.dumps(bounce()).encode(),
    "a list": b"[]",
    "no JSON": b"\xff{",
    "deep JSON": b'{"a":' + b"[" * 50_000,
}  # fmt: skip


@pytest.mark.parametrize("body", FALSE.values(), ids=FALSE)
async def test_a_false_event_is_refused_and_leads_nowhere(
    client: httpx.AsyncClient, hooks: SmallHooks, body: bytes
) -> None:
    assert await ses(client, body) == 403
    assert hooks.taken == []
    assert set(hooks.asked) <= {PEM_URL}


@pytest.mark.parametrize(
    "pem",
    [
        b"no certificate",
        certificate("sns.amazonaws.com", SNS_KEY, until=-timedelta(days=1)),
        certificate("sns.amazonaws.com", OTHER_KEY),
    ],
)
async def test_a_certificate_that_is_not_good_signs_nothing(
    client: httpx.AsyncClient, hooks: SmallHooks, pem: bytes
) -> None:
    hooks.pages[PEM_URL] = pem
    assert await ses(client, envelope()) == 403
    hooks.pages[PEM_URL] = SIGNING  # and is not kept
    assert await ses(client, envelope()) == 200


async def test_while_nothing_can_be_read_or_stored_they_are_asked_to_come_again(
    client: httpx.AsyncClient, hooks: SmallHooks
) -> None:
    hooks.pages.clear()
    assert await ses(client, envelope()) == 503
    hooks.pages[PEM_URL], hooks.full = SIGNING, True
    assert await ses(client, envelope()) == 503
    assert await postmark(client, {"RecordType": "SpamComplaint", "Email": "a@b.example", "ID": 1}) == 503
    hooks.full = False
    assert await ses(client, envelope()) == 200


async def test_a_topic_is_confirmed_once_it_is_named_signed_and_asks_now(
    client: httpx.AsyncClient, hooks: SmallHooks
) -> None:
    asking = {"Type": "SubscriptionConfirmation", "Message": "You have chosen to subscribe"}
    hooks.pages[ASK_URL] = b"<ConfirmSubscriptionResponse/>"
    assert await ses(client, envelope(**asking, key=OTHER_KEY)) == 403
    assert await ses(client, envelope(**asking, TopicArn=TOPIC + "2")) == 403
    assert await ses(client, envelope(**asking, Timestamp="2026-11-24T10:59:00.000Z")) == 403
    assert await ses(client, envelope(**asking, Timestamp="2026-11-24T13:01:00.000Z")) == 403
    assert ASK_URL not in hooks.asked
    assert await ses(client, envelope(**asking)) == 200
    assert hooks.asked.count(ASK_URL) == 1
    assert await ses(client, envelope(Type="UnsubscribeConfirmation", Message="You have left")) == 200
    assert hooks.asked.count(ASK_URL) == 1  # that address would subscribe again
    hooks.pages.pop(ASK_URL)
    assert await ses(client, envelope(**asking)) == 503


SES_EVENTS: list[tuple[dict[str, Any], str]] = [
    (bounce(), "hard"),
    (bounce(status=""), "hard"),
    (bounce(part="NoEmail"), "hard"),
    (bounce(part="OnAccountSuppressionList", status=""), "hard"),
    (bounce(part="MailboxFull"), "soft"),
    (bounce(status="5.2.2"), "soft"),
    (bounce(status="5.7.1"), "other"),
    (bounce("Transient", "General", "4.4.7"), "soft"),
    (bounce("Transient", "MailboxFull", ""), "soft"),
    (bounce("Transient", "ContentRejected"), "other"),
    (bounce("Undetermined", "Undetermined", ""), "soft"),
    (bounce(notificationType=None, eventType="Bounce"), "hard"),
    (bounce(notificationType="Delivery"), ""),
    (bounce(notificationType="Bounce", bounce={"bouncedRecipients": "x"}), ""),
    ({"notificationType": "Complaint", "complaint": {"complainedRecipients": [{"emailAddress": "ada@example.org"}]}},
     "complaint"),
    ({"eventType": "Complaint", "complaint": {"complainedRecipients": [{"emailAddress": "ada@example.org"}],
                                              "complaintFeedbackType": "not-spam"}}, "other"),
    ({"hello": "world"}, "other"),
]  # fmt: skip


@pytest.mark.parametrize(("event", "kind"), SES_EVENTS)
def test_events_of_ses_mean_what_amazon_says(event: dict[str, Any], kind: str) -> None:
    reports = notices.of_ses(notices.envelope(envelope(event)))
    assert [one.kind or kind_of(one) for one in reports] == ([kind] if kind else [])


def test_headers_that_ses_repeats_name_the_letter() -> None:
    headers = [{"name": "Message-ID", "value": "<abc@example.net>"}, {"name": "X", "value": "<no@example.net>"}]
    headers.append({"name": "List-Unsubscribe", "value": f"<https://x.example/unsubscribe/{'t' * 24}>"})
    (one,) = notices.of_ses(notices.envelope(envelope(bounce(mail={"headers": headers}))))
    assert (one.marks.message_ids, one.marks.tokens) == (("<abc@example.net>",), ("t" * 24,))


# --- Postmark ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("password", [None, "", "a password of the test", "a password of the tests ", "é"])
async def test_postmark_is_heard_by_its_password_alone(
    client: httpx.AsyncClient, hooks: SmallHooks, password: str | None
) -> None:
    told = {"RecordType": "Bounce", "Type": "HardBounce", "ID": 7, "Email": "ada@example.org"}
    assert await postmark(client, told, password) == 401
    assert hooks.taken == []
    assert await postmark(client, told) == 200
    assert [(one.event, one.kind) for one in hooks.taken] == [("Bounce:7", "hard")]


def change(why: str, origin: str = "Recipient", stops: Any = True) -> dict[str, Any]:
    told = {"RecordType": "SubscriptionChange", "SuppressSending": stops, "SuppressionReason": why, "Origin": origin}
    return told | {"Recipient": "ada@example.org", "ChangedAt": "2026-11-24T11:00:00Z"}


POSTMARK: list[tuple[dict[str, Any], str]] = [
    *(({"RecordType": "Bounce", "Type": kind, "Email": "ada@example.org"}, meaning) for kind, meaning in [
        ("HardBounce", "hard"), ("BadEmailAddress", "hard"), ("SoftBounce", "soft"), ("DnsError", "soft"),
        ("SpamComplaint", "complaint"), ("Unsubscribe", "left"), ("Transient", "other"), ("AutoResponder", "other"),
        ("AddressChange", "other"), ("SpamNotification", "other"), ("Blocked", "other"), ("DMARCPolicy", "other"),
        ("ManuallyDeactivated", "other"), ("SomethingNew", "other"), ("", "other"),
    ]),
    ({"RecordType": "SpamComplaint", "Type": "SpamComplaint", "Email": "ada@example.org", "ID": 1}, "complaint"),
    (change("HardBounce"), "hard"),
    (change("SpamComplaint"), "complaint"),
    (change("ManualSuppression"), "left"),
    (change("ManualSuppression", "Customer"), "other"),
    (change("ManualSuppression", stops=False), ""),
    (change("ManualSuppression", stops="false"), ""),
    ({"RecordType": "Open"}, ""),
    ({}, ""),
]  # fmt: skip


@pytest.mark.parametrize(("told", "kind"), POSTMARK)
def test_calls_of_postmark_mean_what_postmark_says(told: dict[str, Any], kind: str) -> None:
    reports = notices.of_postmark(json.dumps(told).encode())
    assert [one.kind for one in reports] == ([kind] if kind else [])


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b'"x"', b"[" * 100_000])
async def test_what_is_no_object_is_refused(client: httpx.AsyncClient, hooks: SmallHooks, body: bytes) -> None:
    assert await postmark(client, body) == 400
    assert hooks.taken == []


async def test_more_than_a_quarter_of_a_megabyte_is_not_read(client: httpx.AsyncClient, hooks: SmallHooks) -> None:
    big = {"RecordType": "SpamComplaint", "Email": "a@b.example", "ID": 1, "Content": "x" * 200_000}
    assert await postmark(client, big) == 200
    assert await postmark(client, big | {"Content": "x" * 300_000}) == 413
    assert len(hooks.taken) == 1


# --- the certificate, over real HTTPS ---------------------------------------------------------------------------------


@pytest.fixture
async def amazon(tmp_path: Path) -> AsyncIterator[int]:
    """A server that stands for Amazon's: HTTPS with a certificate for its name, from a root of the tests; its port."""
    host = certificate(HOST, HOST_KEY, issuer="Root of the tests", by=ROOT_KEY)
    pem = tmp_path / "host.pem"
    pem.write_bytes(HOST_KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + host)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(pem)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = (await reader.readuntil(b"\r\n\r\n")).split()[1]
        if asked.endswith(b".pem"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(SIGNING), SIGNING))
        else:
            writer.write(b"HTTP/1.1 302 Found\r\nLocation: https://127.0.0.1/\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield int(server.sockets[0].getsockname()[1])


class RealHooks(SmallHooks):
    """Reads over HTTPS, from where the test's own names lead."""

    def __init__(self, port: int, root: bytes) -> None:
        super().__init__()

        async def names(host: str, port: int) -> list[str]:
            return ["127.0.0.1"]

        tls = ssl.create_default_context(cadata=root.decode())
        self._port = port
        self._looker = GuardedFetcher("tests", allow_private=[f"{HOST}:{port}"], resolve=names, tls=tls)

    async def read(self, url: str) -> bytes:
        self.asked.append(url)
        answer = await self._looker.get(url.replace(HOST, f"{HOST}:{self._port}"), limit=64_000, redirects=0)
        assert answer.status == 200
        return answer.body


async def test_the_certificate_is_read_over_https_from_whom_its_root_proves(office: SmallOffice, amazon: int) -> None:
    for root, status in ((ROOT, 200), (certificate("Root of others", OTHER_KEY, ca=True), 503)):
        office.hooks = real = RealHooks(amazon, root)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(build(office)), base_url="http://x") as client:
            assert await ses(client, envelope()) == status
        assert len(real.taken) == (status == 200)


async def test_no_redirect_is_followed_to_a_certificate_or_a_confirmation(amazon: int) -> None:
    with pytest.raises(DeliveryError):
        await RealHooks(amazon, ROOT).read(ASK_URL)
