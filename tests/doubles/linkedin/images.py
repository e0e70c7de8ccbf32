"""The Images API of the double: where to upload to, the upload, and whether a picture may stand on a card.

A picture is looked at when it arrives: what LinkedIn does not take (WebP, too many pixels, nothing that can be read)
fails in processing, as it does there: after 201.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from tests.doubles.linkedin import content, script
from tests.doubles.linkedin.wire import Handler, Refusal, Reply, Request, content_error, json_reply

if TYPE_CHECKING:
    from tests.doubles.linkedin.posts import Posts

MOST_PIXELS = 36_152_320  # fewer
FORMATS = {"JPEG", "PNG", "GIF"}
UPLOADS = "/dms-uploads/"
A_DAY = 86_400.0


@dataclass
class Image:
    """What was asked for, and what came."""

    urn: str
    owner: str
    path: str  # with its query, as it must be asked
    expires_at: float
    content: bytes = b""
    came_at: float | None = None
    failed: bool = False  # in processing


class Images:
    """The pictures of one double; what tests turn are its public attributes."""

    def __init__(self, double: Posts) -> None:
        self._double = double
        self.given: list[Image] = []  # every address that was given out
        self.faults: deque[str] = deque()  # one for each initializeUpload, as in script.py
        self.upload_faults: deque[str] = deque()  # one for each PUT
        self.slow = 0.0  # seconds until a picture is ready
        self.fails = False  # every picture, in processing
        self.lifetime = A_DAY  # seconds that an address for an upload is good for
        self.elsewhere = ""  # where uploads are sent instead of to us
        self.takes_post = True  # whether POST serves as PUT does is unknown
        double.check_picture = self._check

    @property
    def taken(self) -> list[Image]:
        """Those that came."""
        return [image for image in self.given if image.came_at is not None]

    def routes(self) -> dict[tuple[str, str], Handler]:
        return {
            ("POST", "/rest/images"): self._handler(self._initialize, self.faults),
            ("GET", "/rest/images/"): self._handler(self._read, deque()),
            ("PUT", UPLOADS): self._handler(self._upload, self.upload_faults),
            ("POST", UPLOADS): self._handler(self._upload, self.upload_faults),
            ("GET", "/_double/images"): self._handler(self._shown, deque()),
        }

    def _handler(self, answering: Callable[[Request], Reply], faults: deque[str]) -> Handler:
        async def handle(request: Request, writer: asyncio.StreamWriter) -> Reply | None:
            fault = faults.popleft() if faults else ""
            if fault in script.SILENCES:
                await script.silence(fault, writer)
                return None
            try:
                return script.instead(fault, ghost="") or await script.after(fault, answering(request), writer)
            except Refusal as refusal:
                return refusal.reply

        return handle

    def _initialize(self, request: Request) -> Reply:
        token = self._double.admit(request, "images")
        if request.path.partition("?")[2] != "action=initializeUpload":
            raise Refusal(json_reply(404, code="RESOURCE_NOT_FOUND", message="No virtual resource found"))
        wish = content.document(request.body).get("initializeUploadRequest")
        owner = wish.get("owner") if isinstance(wish, dict) else None
        if owner is None:
            words = "ERROR :: /initializeUploadRequest/owner :: field is required but not found and has no default"
            raise Refusal(json_reply(422, message=words))
        kind = "organization" if str(owner).startswith("urn:li:organization:") else "member"
        if f"w_{kind}_social" not in token.scope or not self._double.may_act(token, owner):
            raise Refusal(self._double.forbidden("partnerApiImages.ACTION-initializeUpload", request))
        number = len(self.given) + 1
        expires_at = self._double.clock() + self.lifetime
        path = f"{UPLOADS}sp/v2/D5610AQ{number}/uploaded-image/0?ca=vector_ads&cn=uploads&v=beta&ut=3%2B{number}_a~b"
        image = Image(f"urn:li:image:D5610AQ-double_{number}", owner, path, expires_at)
        self.given.append(image)
        value = {
            "uploadUrlExpiresAt": int(expires_at * 1000),
            "uploadUrl": self.elsewhere or self._double.url + path,
            "image": image.urn,
        }
        return Reply(200, json.dumps({"value": value}).encode(), {"Content-Type": "application/json"})

    def _upload(self, request: Request) -> Reply:
        self._double.check_token(request.headers.get("authorization", ""))
        image = next((image for image in self.given if image.path == request.path), None)
        if image is None:
            raise Refusal(Reply(403, b"Forbidden"))
        if request.method != "PUT" and not self.takes_post:
            raise Refusal(Reply(405, b"Method Not Allowed"))
        if image.expires_at <= self._double.clock():
            raise Refusal(content_error(400, "EXPIRED_UPLOAD_URL", "The upload url has expired"))
        image.content, image.came_at = request.body, self._double.clock()
        image.failed = self.fails or not is_taken(request.body)
        return Reply(201)

    def _read(self, request: Request) -> Reply:
        """A member's token may write images and not read them."""
        token = self._double.admit(request, "images")
        if ":" in request.path:
            raise Refusal(json_reply(400, code="ILLEGAL_ARGUMENT", message="Syntax exception in path variables"))
        image = self._named(unquote(request.path.removeprefix("/rest/images/")))
        if "r_organization_social" not in token.scope:
            words = "Accessing this image resource is forbidden. Please check your permissions for this resource"
            raise Refusal(json_reply(403, serviceErrorCode=100, code="ACCESS_DENIED", message=words))
        document = {"id": image.urn, "owner": image.owner, "status": self._status(image)}
        return Reply(200, json.dumps(document).encode(), {"Content-Type": "application/json"})

    def _shown(self, _request: Request) -> Reply:
        document: list[dict[str, Any]] = [
            {"urn": image.urn, "owner": image.owner, "bytes": len(image.content)} for image in self.taken
        ]
        return Reply(200, json.dumps(document).encode())

    def _status(self, image: Image) -> str:
        if image.came_at is None:
            return "WAITING_UPLOAD"
        if image.came_at + self.slow > self._double.clock():
            return "PROCESSING"
        return "PROCESSING_FAILED" if image.failed else "AVAILABLE"

    def _named(self, urn: str) -> Image:
        for image in self.given:
            if image.urn == urn:
                return image
        raise Refusal(content_error(400, "INVALID_IMAGE_ID", f"{urn} is not an image"))

    def _check(self, urn: str, author: str) -> None:
        """Whether a post of this author may show it. Raises Refusal."""
        image = self._named(urn)
        if image.owner != author:
            words = "One or more of the assets is not owned by the author"
            raise Refusal(json_reply(400, code="ILLEGAL_ARGUMENT", message=words))
        status = self._status(image)
        if status != "AVAILABLE":
            code = f"MEDIA_ASSET_{status}"
            raise Refusal(content_error(400, code, f"The media asset {urn} is not ready: {status}"))


def is_taken(content: bytes) -> bool:
    """Whether LinkedIn reads it: a whole JPEG, PNG or GIF of not too many pixels."""
    from PIL import Image as pictures

    try:
        with pictures.open(BytesIO(content)) as image:
            good = image.format in FORMATS and image.width * image.height < MOST_PIXELS
            if good:
                image.load()
    except Exception:
        return False
    return good
