"""A strict LinkedIn: a real HTTP server that checks what the real one checks, and fails on demand.

In a test: `with LinkedInDouble() as double: ... double.url, double.posts, double.requests`. As a process of its own:
`python -m tests.doubles.linkedin --port-file F --world FILE`; accepted posts are appended to FILE as JSON lines.

Faults are taken from a script, one for each POST /rest/posts, "" (or none left) for none:

    accept-then-drop    accept, close without an answer
    accept-then-hang    accept, never answer
    accept-then-reset   accept, reset the connection
    500-after-accept    accept, then say 500
    slow:SECONDS        accept, answer that much later
    no-id-header        201 without X-Restli-Id
    encoded-id          201 with a percent-encoded id
    200                 200 instead of 201
    hang                nothing accepted, never answer
    reset               nothing accepted, reset the connection
    500-before          nothing accepted, 500; html-500 with a page
    503, 503:SECONDS    nothing accepted, with Retry-After
    429, 429:SECONDS    throttled, with Retry-After; 429-day: the day's quota is used up
    asset-not-ready     400 MEDIA_ASSET_WAITING_UPLOAD
    ghost               422 duplicate of a post that is not there
    redirect            307 to somewhere else
    CODE:TEXT           any other status, with a text as body

DELETE /rest/posts/URN takes its faults from `deletion_faults`, of these: 500-before, html-500, 503, 429, CODE:TEXT.
"""

from __future__ import annotations

from typing import Any

from tests.doubles.linkedin.images import Images
from tests.doubles.linkedin.littletext import RESERVED, parse_commentary
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
