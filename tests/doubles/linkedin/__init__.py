"""A strict LinkedIn: a real HTTP server that checks what the real one checks, and fails on demand.

In a test: `with LinkedInDouble() as double: ... double.url, double.posts, double.requests`. As a process of its own:
`python -m tests.doubles.linkedin --port-file F --world FILE`; accepted posts are appended to FILE as JSON lines.

Faults are taken from a script (`faults`, see script.py), one for each POST /rest/posts, "" (or none left) for none;
DELETE takes the answers among them from `deletion_faults`. What nobody knows about LinkedIn is a knob (knobs.py).
"""

from __future__ import annotations

from typing import Any

from tests.doubles.linkedin.images import Images
from tests.doubles.linkedin.littletext import RESERVED, parse_commentary
from tests.doubles.linkedin.oauth import OAuth
from tests.doubles.linkedin.posts import Post, Posts
from tests.doubles.linkedin.server import AUTHOR, TOKEN, VERSIONS, Token
from tests.doubles.linkedin.wire import Reply, Request

__all__ = ["AUTHOR", "RESERVED", "TOKEN", "VERSIONS", "LinkedInDouble", "Post", "Reply", "Request", "Token"]
__all__ += ["parse_commentary"]


class LinkedInDouble(Posts):
    """All of it: posts, and parts that add their routes."""

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        self.images = Images(self)
        self.routes |= self.images.routes()
        self.oauth = OAuth(self)
        self.routes |= self.oauth.routes()
