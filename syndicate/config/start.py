"""What must be put right before anything is sent, although the file is well formed. It looks at the settings alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice, pairwise

from syndicate.config.models import Settings
from syndicate.config.schedule import cron
from syndicate.config.values import host_of, is_example_domain, is_loopback_url, is_reserved_domain
from syndicate.errors import Problem


def problems_at_start(settings: Settings) -> list[Problem]:
    """Why nothing may start: live mail that could not be answered for (rule 24), and keys that lack another.

    Whether recipients could use the links is for the caller, who knows them: `is_loopback_url(web.public_url)`.
    """
    return [*_live_mail(settings), *_alerts(settings), *_digests(settings)]


def _live_mail(settings: Settings) -> Iterator[Problem]:
    email = settings.email
    if email is None or not email.live:
        return
    if is_example_domain(email.sender_domain) or (
        is_reserved_domain(email.sender_domain) and not _is_test_site(settings)
    ):
        yield Problem("email.sender", f"{email.sender_domain} is nobody's domain: write your own before going live")
    if not email.postal_address.strip():
        yield Problem("email.postal_address", "is missing: live mail must say where its sender lives")


def _alerts(settings: Settings) -> Iterator[Problem]:
    if settings.alerts.email and settings.email is None:
        yield Problem(
            "alerts.email", "needs a mail server: add the table [email]; its letters stay in rehearsal until email.live"
        )


def _digests(settings: Settings) -> Iterator[Problem]:
    delay = settings.review.delay
    for index, digest in enumerate(settings.digests):
        if cron(digest.schedule) is None and digest.late_limit <= delay:
            yield Problem(
                f"digests.{index}.late_limit", "is over before review.delay is: no article would ever be mailed"
            )
        if not digest.proof:
            continue
        key, shortest = f"digests.{index}.proof", _shortest_gap(digest.schedule)
        if shortest is None:
            yield Problem(
                key, "an article that is mailed as it comes has no slot to be shown before: use approve = true"
            )
        elif digest.proof >= shortest:
            yield Problem(
                key, "is as long as from one slot to the next, or longer: the one before would not be out yet"
            )
        if not settings.alerts.email:
            yield Problem(key, "needs alerts.email: that is whom the proof is sent to")


def _shortest_gap(schedule: str) -> timedelta | None:
    """The shortest time between slots, by the wall clock; None where there are none."""
    expression = cron(schedule)
    if expression is None:
        return None
    from cronsim import CronSim

    slots = list(islice(CronSim(expression, datetime(2024, 1, 1)), 100))  # noqa: DTZ001 - days of the wall calendar
    return min((later - slot for slot, later in pairwise(slots)), default=timedelta.max)


def _is_test_site(settings: Settings) -> bool:
    """Whether readers' links lead to this machine or nowhere, so that only test addresses are written to anyway."""
    url = settings.web.public_url
    return is_loopback_url(url) or is_reserved_domain(host_of(url))
