"""What a posted form holds: urlencoded fields, strict UTF-8, few of them. Everything in it is hostile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.requests import Request

KIND = "application/x-www-form-urlencoded"
MOST_FIELDS = 50


@dataclass(frozen=True, slots=True)
class Form:
    """Fields in the order in which they came."""

    fields: Sequence[tuple[str, str]] = ()

    def one(self, name: str) -> str:
        """The first value of that name; "" where there is none."""
        return next((value for key, value in self.fields if key == name), "")

    def all(self, name: str) -> list[str]:
        """Every value of that name."""
        return [value for key, value in self.fields if key == name]


async def read(request: Request) -> Form:
    """Read a form to its end. Raises ValueError: it is none, or not in UTF-8, or has too many fields."""
    body = await request.body()
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != KIND:
        raise ValueError("the form came in another kind than browsers send")
    text = body.decode()
    return Form(parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS))
