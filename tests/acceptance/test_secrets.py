"""The secret is changed while letters are due: what is out keeps its doors, and nobody is mailed who had left."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from email import message_from_string

from tests.acceptance import newsroom as make
from tests.acceptance.conftest import MailServer
from tests.acceptance.newsroom import FRIDAY, WEEKLY, Newsroom, unsubscribe_link

Make = Callable[..., Newsroom]

LATER = FRIDAY + timedelta(hours=1)


def test_a_change_of_the_secret_closes_no_door_and_lifts_no_suppression(newsroom: Make) -> None:
    ada, gone = make.people(2)
    with MailServer(accept_then="<drop>") as server:
        site = newsroom(email=make.email(server.port), **WEEKLY)
        site.run("subscribers", "add", ada, gone, now=FRIDAY)
        site.run("subscribers", "remove", gone, "--erase", now=FRIDAY)
        site.write(1)
        site.command("digest", "weekly", "--yes", now=FRIDAY)
        assert site.deliveries("email")[0]["people"] == {"due": 1}, "its answer got lost"
        site.configure(secret="a secret that came later", secrets_old=[{"file": "var/secret"}])
        server.double.accept_then = None
        site.run("run", "--once", now=LATER)
        assert site.deliveries("email")[0]["people"] == {"sent": 1}
        first, again = (one["data"] for one in server.to(ada))
    assert message_from_string(first)["Message-ID"] == message_from_string(again)["Message-ID"]
    assert unsubscribe_link(first) != unsubscribe_link(again)

    site.run("subscribers", "import", str(people(site, gone)), now=LATER)
    assert [one["email"] for one in site.ask("subscribers", "list")] == [ada]
    with site.daemon(now=LATER):
        for link in (unsubscribe_link(first), unsubscribe_link(again)):
            assert make.http(link)[0] == 200
        assert make.http(unsubscribe_link(first), b"List-Unsubscribe=One-Click")[0] == 200
    assert [one["state"] for one in site.ask("subscribers", "list")] == ["unsubscribed"]

    site.configure(secrets_old=[])
    with site.daemon(now=LATER):
        assert make.http(unsubscribe_link(first))[0] == 404
        assert make.http(unsubscribe_link(again))[0] == 200


def people(site: Newsroom, *addresses: str) -> str:
    file = site.folder / "people.csv"
    file.write_text("email\n" + "\n".join(addresses) + "\n", encoding="utf-8")
    return file.name
