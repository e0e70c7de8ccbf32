"""What an app and a member may ask in a day: requests are counted, refused ones too. The day ends at 00:00 UTC."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tests.doubles.linkedin.wire import Refusal, Reply, json_reply


@dataclass
class Quota:
    """Requests for each endpoint and UTC day; both counters as published for "Share on LinkedIn" (2023-12)."""

    of_member: int = 150
    of_app: int = 100_000
    spent: Counter[tuple[str, str, int]] = field(default_factory=Counter)  # (endpoint, who, day) -> requests
    resting_until: float = 0.0  # "rare infrastructure protection": all is refused, no quota named

    def spend(self, endpoint: str, member: str, app: str, now: float) -> None:
        """Count one request. Raises Refusal: 429, without Retry-After, which LinkedIn was never seen to send."""
        if now < self.resting_until:
            raise Refusal(json_reply(429, code="TOO_MANY_REQUESTS", message="Too many requests"))
        day = int(now // 86_400)
        for who, most, which in ((member, self.of_member, "APPLICATION_AND_MEMBER"), (app, self.of_app, "APPLICATION")):
            if self.spent[endpoint, who, day] >= most:
                raise Refusal(throttled(f"{which} DAY"))
        for who in (member, app):
            self.spent[endpoint, who, day] += 1


def throttled(which: str) -> Reply:
    """429 of a quota, named as LinkedIn names it: its scope in capitals, then DAY."""
    message = f"Resource level throttle {which} limit for calls to this resource is reached."
    return json_reply(429, serviceErrorCode=101, code="TOO_MANY_REQUESTS", message=message)
