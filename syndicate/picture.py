"""Pictures for elsewhere: any common format in, a JPEG of modest size out. Pure; never fetches, never writes a file.

The bytes come from strangers. What a header promises is believed before a pixel is decoded, every picture is written
anew, and nothing but pixels is carried over: no place where it was taken, no comments, nothing hidden behind its end.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

from syndicate.errors import ContentError

if TYPE_CHECKING:
    from PIL import Image

BYTES = 10_000_000  # the largest file worth reading
PIXELS = 40_000_000  # up to 600 MB while a WebP of so many is decoded; a camera has 12 to 24 million
SIDE = 1_600  # a card of 1,200 on a fine screen
QUALITY = 85
FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "AVIF")
_SCAN = b"\xff\xda"  # start of scan (ITU T.81, B.1.1.3): stands nowhere else in the data of a JPEG
_SCANS = 100  # a progressive one has about ten; each costs a walk through all pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A JPEG that was made here; sides in pixels, at most `SIDE`."""

    jpeg: bytes
    width: int
    height: int


def fit(content: bytes) -> Picture:
    """The first frame of a picture, upright, on white, scaled down to fit and never cropped or enlarged.

    Takes a second or two of processor time at worst: for a thread. Raises ContentError, whose reason completes
    "the picture is left out: …".
    """
    if len(content) > BYTES:
        raise ContentError(f"it has more than {BYTES // 1_000_000} MB")
    if content[:2] == b"\xff\xd8" and content.count(_SCAN) > _SCANS:
        raise ContentError(f"it is a JPEG in more than {_SCANS} scans")
    try:
        return _fitted(content)
    except ContentError:
        raise
    except Exception as error:  # whatever a decoder raises over a broken file
        raise ContentError(
            f"it cannot be read ({' '.join(str(error).split())[:100] or type(error).__name__})"
        ) from None


def _fitted(content: bytes) -> Picture:
    from PIL import Image, ImageOps

    with _opened(content) as image:
        image.draft(None, (SIDE, SIDE))  # of a JPEG only as many pixels are decoded as are wanted
        mode = "RGBA" if image.has_transparency_data else "RGB"
        pixels = image if image.mode == mode else _in_bytes(image).convert(mode)
        pixels.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
        upright = ImageOps.exif_transpose(pixels)
        page = Image.new("RGB", upright.size, "white")
        page.paste(upright, mask=upright if mode == "RGBA" else None)
    out = BytesIO()
    page.save(out, "JPEG", quality=QUALITY, optimize=True)
    return Picture(jpeg=out.getvalue(), width=page.width, height=page.height)


def _in_bytes(image: Image.Image) -> Image.Image:
    """16-bit grey in 8 bits; converting it would take everything but the darkest tones for white."""
    if not image.mode.startswith("I"):
        return image
    return image.convert("I").point(lambda level: level / 256).convert("L")


def _opened(content: bytes) -> Image.Image:
    """Its header is read, none of its pixels. Raises ContentError for another format and for too many pixels."""
    from PIL import AvifImagePlugin, Image, UnidentifiedImageError, WebPImagePlugin

    assert AvifImagePlugin and WebPImagePlugin  # else naming these formats loads the readers of forty others
    Image.MAX_IMAGE_PIXELS = None  # its own check only warns between its limit and twice that; ours refuses
    try:
        image = Image.open(BytesIO(content), formats=FORMATS)
    except UnidentifiedImageError:
        raise ContentError("it is no JPEG, PNG, GIF, WebP or AVIF") from None
    width, height = image.size
    if width * height > PIXELS:
        raise ContentError(f"it has {width} x {height} pixels, more than {PIXELS // 1_000_000} million")
    return image
