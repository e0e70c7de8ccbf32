"""Pictures of every kind become a JPEG that fits; what is no picture, or too much of one, is refused."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from typing import Any

import pytest
from PIL import Image
from PIL.Image import Image as Pixels

from syndicate.errors import ContentError
from syndicate.picture import BYTES, PIXELS, SIDE, Picture, fit

RED, BLUE, WHITE = (220, 20, 20), (20, 20, 220), (255, 255, 255)


def drawn(width: int = 40, height: int = 20, mode: str = "RGB") -> Pixels:
    """Its left half red, its right half blue."""
    image = Image.new("RGB", (width, height), RED)
    image.paste(BLUE, (width // 2, 0, width, height))
    return image.convert(mode)


def half_clear() -> Pixels:
    """Its left half red, its right half transparent."""
    image = drawn(mode="RGBA")
    image.putalpha(Image.new("L", image.size, 255))
    image.paste((0, 0, 0, 0), (image.width // 2, 0, image.width, image.height))
    return image


def saved(image: Pixels, form: str, **how: Any) -> bytes:
    out = BytesIO()
    image.save(out, form, **how)
    return out.getvalue()


def turned(orientation: int, form: str = "JPEG") -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "Camera of somebody"
    return saved(drawn(), form, exif=exif)


def frames() -> bytes:
    return saved(drawn(), "GIF", save_all=True, append_images=[Image.new("RGB", (40, 20), "green")])


def png_header(width: int, height: int) -> bytes:
    """A PNG whose header promises much and whose data is short."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1_000))) + chunk(b"IEND", b"")


def opened(picture: Picture) -> Pixels:
    image: Pixels = Image.open(BytesIO(picture.jpeg))
    assert (image.format, image.mode) == ("JPEG", "RGB")
    assert image.size == (picture.width, picture.height)
    return image


def is_near(pixel: Any, colour: tuple[int, int, int]) -> bool:
    return all(abs(one - other) < 30 for one, other in zip(pixel, colour, strict=True))


@pytest.mark.parametrize(
    ("content", "left", "right"),
    [
        (saved(drawn(), "PNG"), RED, BLUE),
        (saved(drawn(), "JPEG", quality=95), RED, BLUE),
        (saved(drawn(), "JPEG", quality=95, progressive=True), RED, BLUE),
        (saved(drawn(mode="CMYK"), "JPEG", quality=95), RED, BLUE),
        (saved(drawn(), "WEBP", lossless=True), RED, BLUE),
        (saved(half_clear(), "WEBP", lossless=True), RED, WHITE),
        (saved(drawn(), "AVIF", quality=95), RED, BLUE),
        (saved(half_clear(), "AVIF", quality=95), RED, WHITE),
        (saved(drawn(), "GIF"), RED, BLUE),
        (frames(), RED, BLUE),
        (saved(half_clear(), "PNG"), RED, WHITE),
        (saved(half_clear().quantize(8), "PNG"), RED, WHITE),
        (saved(drawn(), "PNG", transparency=BLUE), RED, WHITE),
        (saved(drawn(mode="L"), "PNG"), (83, 83, 83), (41, 41, 41)),
        (saved(drawn(mode="L").convert("I;16").point(lambda level: level * 256), "PNG"), (83, 83, 83), (41, 41, 41)),
        (saved(drawn(mode="LA"), "PNG"), (83, 83, 83), (41, 41, 41)),
    ],
    ids=[
        "png", "jpeg", "progressive", "cmyk", "webp", "webp-alpha", "avif", "avif-alpha", "gif", "animated", "alpha",
        "palette-alpha", "colour-key", "grey", "grey-16-bit", "grey-alpha",
    ],
)  # fmt: skip
def test_a_picture_of_any_kind_becomes_a_jpeg_on_white(
    content: bytes, left: tuple[int, int, int], right: tuple[int, int, int]
) -> None:
    image = opened(fit(content))
    assert image.size == (40, 20)
    assert is_near(image.getpixel((5, 10)), left), image.getpixel((5, 10))
    assert is_near(image.getpixel((35, 10)), right), image.getpixel((35, 10))


@pytest.mark.parametrize(
    ("size", "wanted"),
    [
        ((6_100, 6_100), (SIDE, SIDE)),
        ((3_200, 1_600), (SIDE, 800)),
        ((1_000, 4_000), (400, SIDE)),
        ((9_000, 2), (SIDE, 1)),
        ((SIDE, SIDE), (SIDE, SIDE)),
        ((20, 10), (20, 10)),
        ((1, 1), (1, 1)),
    ],
)
def test_a_picture_is_scaled_to_fit_never_cropped_and_never_enlarged(
    size: tuple[int, int], wanted: tuple[int, int]
) -> None:
    assert opened(fit(saved(drawn(*size), "PNG", compress_level=1))).size == wanted


@pytest.mark.parametrize(
    ("orientation", "size", "first"), [(1, (40, 20), RED), (3, (40, 20), BLUE), (6, (20, 40), RED), (8, (20, 40), BLUE)]
)
@pytest.mark.parametrize("form", ["JPEG", "WEBP", "PNG"])
def test_a_picture_is_turned_as_its_camera_was_held(
    orientation: int, size: tuple[int, int], first: tuple[int, int, int], form: str
) -> None:
    image = opened(fit(turned(orientation, form)))
    assert image.size == size
    assert is_near(image.getpixel((3, 3)), first)


@pytest.mark.parametrize(
    "content",
    [
        turned(6),
        turned(6, "WEBP"),
        saved(drawn(), "JPEG", comment=b"Camera of somebody"),
        saved(drawn(), "JPEG", icc_profile=b"Camera of somebody"),
        saved(drawn(), "GIF", comment=b"Camera of somebody"),
        saved(drawn(), "JPEG") + b"<script>Camera of somebody</script>",
    ],
    ids=["exif", "webp", "comment", "profile", "gif", "behind-its-end"],
)
def test_nothing_but_pixels_is_carried_over(content: bytes) -> None:
    assert b"Camera of somebody" in content
    assert b"Camera of somebody" not in fit(content).jpeg


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no JPEG, PNG, GIF, WebP or AVIF"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no JPEG, PNG, GIF, WebP or AVIF"),
        (b"<html>404</html>", "no JPEG, PNG, GIF, WebP or AVIF"),
        (b"%PDF-1.7\n", "no JPEG, PNG, GIF, WebP or AVIF"),
        (saved(drawn(), "BMP"), "no JPEG, PNG, GIF, WebP or AVIF"),
        (saved(drawn(), "TIFF"), "no JPEG, PNG, GIF, WebP or AVIF"),
        (png_header(30_000, 30_000), "it has 30000 x 30000 pixels"),
        (png_header(PIXELS, 2), f"it has {PIXELS} x 2 pixels"),
        (b"GIF89a" + struct.pack("<HH", 65_535, 65_535) + saved(drawn(), "GIF")[10:], "65535 x 65535 pixels"),
        (b"\xff\xd8" + b"\xff\xda\x00\x02" * 200, "in more than 100 scans"),
        (saved(drawn(), "PNG") + bytes(BYTES), "more than 10 MB"),
        (png_header(40, 2_000), "cannot be read"),
    ],
    ids=[
        "nothing", "svg", "page", "pdf", "bmp", "tiff", "bomb", "ribbon", "gif-bomb", "scans", "too-many-bytes",
        "short-data",
    ],
)  # fmt: skip
def test_what_is_no_picture_or_too_much_of_one_is_refused(content: bytes, reason: str) -> None:
    with pytest.raises(ContentError, match=reason):
        fit(content)


@pytest.mark.parametrize("share", [0.2, 0.6, 0.9])
@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "WEBP", "AVIF"])
def test_a_picture_that_breaks_off_is_refused(form: str, share: float) -> None:
    content = saved(Image.effect_noise((200, 200), 60).convert("RGB"), form)
    with pytest.raises(ContentError):
        fit(content[: int(len(content) * share)])
