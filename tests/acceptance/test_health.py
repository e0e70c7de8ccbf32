"""Who is told what is wrong with a running newsroom: /healthz, /readyz, /metrics, status, and alerts that leave."""

from __future__ import annotations

import email
import email.policy
import json
import re
import resource
import signal
from collections.abc import Callable
from datetime import timedelta

import tests.acceptance.newsroom as make
from tests.acceptance.conftest import MailServer
from tests.acceptance.newsroom import FRIDAY, Newsroom, until
from tests.doubles.linkedin import TOKEN, LinkedInDouble

Make = Callable[..., Newsroom]
OWNER = "otto@owner.test"


def healthz(site: Newsroom) -> tuple[int, dict[str, object]]:
    status, body = make.http(f"http://127.0.0.1:{site.port}/healthz")
    return status, json.loads(body)


def subjects(server: MailServer) -> list[str]:
    return [
        str(email.message_from_string(one["data"], policy=email.policy.default)["Subject"]) for one in server.to(OWNER)
    ]


def test_from_cron_the_owner_hears_of_a_problem_once_and_once_when_it_is_over_also_in_rehearsal(
    newsroom: Make, mail_server: MailServer
) -> None:
    site = newsroom(email=make.email(mail_server.port, live=False), alerts={"email": OWNER})
    away = site.content.with_name("away")
    site.content.rename(away)
    for minutes in (0, 5, 10):
        site.run("run", "--once", "-q", now=FRIDAY + timedelta(minutes=minutes), code=1)
    (begun,) = subjects(mail_server)
    assert begun.startswith("The Quay Courier: sources.articles.path: ")
    away.rename(site.content)
    for minutes in (15, 25):
        site.run("run", "--once", "-q", now=FRIDAY + timedelta(minutes=minutes))
    _, over = subjects(mail_server)
    assert over.startswith("The Quay Courier: over: sources.articles.path: ")
    assert len(mail_server.world) == 2, "nobody else hears of anything"


def test_what_waits_for_a_person_is_red_for_who_watches_and_does_not_make_the_daemon_unready(
    newsroom: Make, linkedin: LinkedInDouble
) -> None:
    linkedin.dead[TOKEN] = "revoked"
    site = newsroom(linkedin=make.linkedin(linkedin.url), review={"first_run": "announce"})
    site.write(1)
    with site.daemon() as daemon:
        assert healthz(site) == (200, {"ok": True, "works": True, "problems": 0, "oldest_due_seconds": None})
        until(lambda: not healthz(site)[1]["ok"], "the dead token shows", 15)
        status, body = healthz(site)
        assert (status, body["works"], body["problems"]) == (503, True, 1)
        address = f"http://127.0.0.1:{site.port}"
        assert make.http(f"{address}/readyz")[0] == 200
        status, page = make.http(f"{address}/metrics")
        lines = page.decode().splitlines()
        assert status == 200
        assert 'syndicate_problem{key="paused:linkedin"} 1.0' in lines
        assert 'syndicate_articles{state="ready"} 1.0' in lines
        assert any(line.startswith('syndicate_lease_seconds{host="') for line in lines)
        assert make.http(f"{address}/metrics", headers={"X-Forwarded-For": "203.0.113.7"})[0] == 404
        daemon.process.send_signal(signal.SIGKILL)
        daemon.process.wait(10)
    (problem,) = site.ask("status")["problems"]
    assert re.search("linkedin: paused by a fault: .*syndicate resume linkedin", problem)


def test_a_full_disk_is_red_and_heals_by_itself(newsroom: Make) -> None:
    site = newsroom(review={"first_run": "announce"})
    with site.daemon() as daemon:
        until(lambda: healthz(site)[0] == 200, "it works", 10)
        pid = daemon.process.pid
        soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, hard))
        site.write(1)
        until(lambda: healthz(site)[0] == 503, "it shows", 15)
        assert make.http(f"http://127.0.0.1:{site.port}/readyz")[0] == 503
        assert healthz(site)[1]["problems"] == 1
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))
        until(lambda: healthz(site)[1]["ok"], "it healed", 45)
        until(lambda: site.articles().get("001-walk.md", {}).get("state") == "ready", "nothing was lost", 15)
        assert daemon.terminate() == 0


def test_a_daemon_that_was_stopped_in_its_tracks_is_missed(newsroom: Make) -> None:
    site = newsroom()
    with site.daemon(now=FRIDAY) as daemon:
        daemon.process.send_signal(signal.SIGSTOP)
        assert site.ask("status", now=FRIDAY + timedelta(minutes=1))["problems"] == []
        (problem,) = site.ask("status", now=FRIDAY + timedelta(minutes=5))["problems"]
        assert f"`syndicate run` (process {daemon.process.pid}" in problem
        daemon.process.send_signal(signal.SIGCONT)
        assert daemon.terminate() == 0
