"""What nobody could verify about LinkedIn, one knob each: tests turn them and the program must live with both."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Knobs:
    malformed_version: int = 426  # what "2026-09" is answered with; 400 elsewhere
    wrong_value: int = 400  # a value that a field does not know; 422 elsewhere
    null: int = 422  # a key that is null instead of absent; 400 elsewhere
    description: int = 4084  # the longest description; 4086 by another report
    reserved: str = "cut"  # a bare reserved character; "refuse": 400 instead of a silent cut
    ghosts: bool = False  # true: a post like one that was deleted is refused as a duplicate of URNs that nobody has
    forgets_deleted: bool = False  # true: a repeated deletion answers 404 instead of 204
