"""The short way through YAML whose fields have one line each, as most front matter is: one pattern instead of events.

It gives what libyaml gives, or steps aside for it; it never mends anything.
"""

from __future__ import annotations

import re

NULLS = frozenset({"", "~", "null", "Null", "NULL"})
# What YAML allows and one line of it means without doubt; all else, line breaks of Unicode too, is left to libyaml.
_ODD = r"\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff"
_FIELD = re.compile(
    rf"""(?P<name>[A-Za-z][\w-]{{0,79}}):(?:[ ]*|[ ]+(?:
        '(?P<single>(?:[^'\\{_ODD}]++|'')*+)'
        | "(?P<double>[^"\\{_ODD}]*+)"
        | (?P<plain>(?=[^\W_]|/)(?:[^\s:\#\\{_ODD}]++|[ ]++(?!\#|\n)|:(?=[^\s{_ODD}])|(?<=[^ ])\#)++)
        | [|>]\n[ ]{{1,8}}(?P<block>[^\s\\{_ODD}][^\\{_ODD}]*+\n)\n*+(?![ ])
    )[ ]*+)(?:\n++|(?<=\n))""",
    re.VERBOSE | re.ASCII,
)
_LONGEST = 16_384  # characters of a block: no more values than libyaml's way admits


def read(block: str) -> dict[str, str | None] | None:
    """What YAML means by a block of such fields, all sound; None where one is not, or nobody can be sure."""
    fields: dict[str, str | None] = {}
    at = 0
    while at < len(block):
        found = _FIELD.match(block, at)
        if found is None or at > _LONGEST:
            return None
        form = found.lastgroup or "name"
        value = None if form == "name" else found[form]
        if form == "single" and value:
            value = value.replace("''", "'")
        if found["name"] in NULLS or (value and "''" in value):
            return None
        fields[found["name"]] = None if form == "plain" and value in NULLS else value
        at = found.end()
    return fields
