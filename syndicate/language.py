"""Which way a language is written. Never translates anything."""

from __future__ import annotations

from typing import Literal

# ISO 15924 codes of the scripts written from right to left, and the languages written in one when the tag
# names no script (the likely subtags of CLDR).
_SCRIPTS = frozenset({"adlm", "arab", "aran", "hebr", "mand", "mend", "nkoo", "rohg", "samr", "syrc", "thaa", "yezi"})
_LANGUAGES = frozenset({
    "ar", "arc", "arz", "azb", "bal", "bgn", "bqi", "ckb", "dv", "fa", "glk", "he", "iw", "ji", "ks", "lrc", "luz",
    "mzn", "nqo", "pnb", "prs", "ps", "rhg", "sd", "sdh", "skr", "syr", "ug", "ur", "yi",
})  # fmt: skip


def direction(language: str) -> Literal["ltr", "rtl"]:
    """How text in this language runs, as HTML's `dir` wants it. `language` is a tag of RFC 5646 ("ar", "pa-Arab")."""
    first, *rest = language.lower().replace("_", "-").split("-")
    script = next((part for part in rest if len(part) == 4 and part.isalpha()), None)
    return "rtl" if (script in _SCRIPTS if script else first in _LANGUAGES) else "ltr"
