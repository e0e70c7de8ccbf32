"""What the body of a new post must be like: fields, values, lengths. Pure; raises Refusal with LinkedIn's answer."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlsplit

from tests.doubles.linkedin.knobs import Knobs
from tests.doubles.linkedin.littletext import read
from tests.doubles.linkedin.wire import Refusal, content_error, json_reply, missing

REQUIRED = ("author", "commentary", "visibility", "distribution", "lifecycleState")
OPTIONAL = ("content", "isReshareDisabledByAuthor")
VALUES = {
    "visibility": ("PUBLIC", "CONNECTIONS", "LOGGED_IN", "CONTAINER"),
    "lifecycleState": ("PUBLISHED",),
}
COMMENTARY, TITLE, ALT_TEXT = 3000, 400, 4086  # UTF-16 units


def document(content: bytes) -> dict[str, Any]:
    try:
        body = json.loads(content.decode("utf-8"))
    except ValueError:
        body = None
    if not isinstance(body, dict):
        words = "The request body is not a JSON object in UTF-8"
        raise Refusal(json_reply(400, code="ILLEGAL_ARGUMENT", message=words))
    return body


def check_fields(body: dict[str, Any], knobs: Knobs) -> None:
    for path, value in _walk(body):
        if value is None:
            raise Refusal(content_error(knobs.null, "INVALID_VALUE_FOR_FIELD", f"{path} :: null is not a value"))
    for name in REQUIRED:
        if name not in body:
            raise missing(f"/{name}")
    if not isinstance(body["distribution"], dict) or "feedDistribution" not in body["distribution"]:
        raise missing("/distribution/feedDistribution")
    values = {**body, "feedDistribution": body["distribution"]["feedDistribution"]}
    for name, allowed in {**VALUES, "feedDistribution": ("MAIN_FEED", "NONE")}.items():
        if values[name] not in allowed:
            words = f"{name} is not one of {allowed}"
            raise Refusal(content_error(knobs.wrong_value, "INVALID_VALUE_FOR_FIELD", words))
    if strange := sorted(body.keys() - {*REQUIRED, *OPTIONAL}):
        raise unpermitted(f"/{strange[0]}")


def unpermitted(path: str) -> Refusal:
    words = f"Unpermitted fields present in REQUEST_BODY: Data Processing Exception while processing fields [{path}]"
    return Refusal(json_reply(403, serviceErrorCode=100, code="ACCESS_DENIED", message=words))


def check_text(commentary: Any, knobs: Knobs) -> None:
    if not isinstance(commentary, str):
        raise Refusal(content_error(400, "INVALID_VALUE_FOR_FIELD", "commentary is not a text"))
    length = utf16_length(commentary)
    if length > COMMENTARY:
        words = f"ShareCommentary text length ({length} characters) exceeded the maximum allowed (3000 characters)"
        raise Refusal(content_error(400, "FIELD_ARRAY_SIZE_TOO_HIGH", words))
    if knobs.reserved == "refuse" and read(commentary).lost:
        raise Refusal(content_error(400, "INVALID_VALUE_FOR_FIELD", "commentary is not little text"))


def check_content(body: dict[str, Any], knobs: Knobs) -> None:
    """One member of `content` at most: a card, a picture, or several."""
    if "content" not in body:
        return
    content = body["content"]
    if not isinstance(content, dict) or len(content) != 1 or content.keys() - {"article", "media", "multiImage"}:
        raise missing("/content/article")
    if "article" in content:
        _check_card(content["article"], knobs)
    elif "media" in content:
        _check_media(content["media"], "/content/media")
    else:
        images = content["multiImage"].get("images", [])
        if not 2 <= len(images) <= 20:
            raise Refusal(content_error(400, "INVALID_VALUE_FOR_FIELD", "/content/multiImage/images: 2 to 20"))
        for image in images:
            _check_media(image, "/content/multiImage/images")


def pictures(body: dict[str, Any]) -> list[str]:
    """The pictures that a post names; well-formed, but perhaps not there."""
    content = body.get("content", {})
    card, media = content.get("article", {}), content.get("media", {})
    several = content.get("multiImage", {}).get("images", [])
    return [urn for urn in (card.get("thumbnail"), media.get("id"), *(one["id"] for one in several)) if urn]


def _check_card(card: Any, knobs: Knobs) -> None:
    if not isinstance(card, dict):
        raise missing("/content/article")
    for name in ("source", "title"):
        if not card.get(name):
            raise missing(f"/content/article/{name}")
    if strange := sorted(card.keys() - {"source", "title", "description", "thumbnail"}):
        raise unpermitted(f"/content/article/{strange[0]}")
    if urlsplit(card["source"]).scheme not in ("http", "https"):
        raise Refusal(content_error(400, "INVALID_VALUE_FOR_FIELD", "/content/article/source is not a URL"))
    if "thumbnail" in card:
        _check_image(card["thumbnail"], "/content/article/thumbnail")
    for name, limit in (("title", TITLE), ("description", knobs.description)):
        _check_length(card.get(name, ""), limit, f"/content/article/{name}")


def _check_media(media: dict[str, Any], path: str) -> None:
    if not media.get("id"):
        raise missing(f"{path}/id")
    _check_image(media["id"], f"{path}/id")
    _check_length(media.get("altText", ""), ALT_TEXT, f"{path}/altText")


def _check_image(urn: Any, path: str) -> None:
    if not re.fullmatch(r"urn:li:image:[\w-]+", str(urn)):
        raise Refusal(content_error(400, "INVALID_IMAGE_ID", f"{path} is not an image"))


def _check_length(text: str, limit: int, path: str) -> None:
    if utf16_length(text) > limit:
        raise Refusal(content_error(400, "FIELD_LENGTH_TOO_LONG", f"{path} is over {limit}"))


def _walk(value: Any, path: str = "") -> list[tuple[str, Any]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [(path, value), *(found for name, one in inner for found in _walk(one, f"{path}/{name}"))]


def utf16_length(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
