"""Lists of readers through the command line: cut off, in any encoding, out and in again, asked first, handed out."""

from __future__ import annotations

import json
import sqlite3
import stat
from collections.abc import Callable
from typing import Any

import pytest

from tests.acceptance.newsroom import Newsroom

Make = Callable[..., Newsroom]
TWO: dict[str, Any] = {"email": {}, "digests": [{"name": "weekly"}, {"name": "daily"}]}


def people(site: Newsroom) -> dict[str, dict[str, Any]]:
    return {one["email"]: one for one in site.ask("subscribers", "list")}


def test_an_import_that_is_killed_is_finished_by_a_second_one(newsroom: Make) -> None:
    """A batch is whole or not there; nobody is in it twice."""
    site = newsroom(**TWO)
    listed = site.folder / "many.csv"
    listed.write_text("email\n" + "".join(f"p{number}@readers.test\n" for number in range(20_500)), "utf-8")
    site.crash("import.batch:2", "subscribers", "import", "many.csv")
    assert site.ask("status")["subscribers"] == {"active": 20_000}
    assert "500 added, 20,000 known. Nobody was mailed." in site.run("subscribers", "import", "many.csv").err
    with sqlite3.connect(site.database) as connection:
        assert connection.execute("SELECT count(*) FROM subscriptions WHERE digest = 'weekly'").fetchone() == (20_500,)
    connection.close()


@pytest.mark.parametrize(
    ("encoding", "told"), [("utf-8", False), ("utf-8-sig", False), ("utf-16", False), ("cp1252", True)]
)
def test_names_are_read_whatever_they_were_written_in(newsroom: Make, encoding: str, told: bool) -> None:
    site = newsroom(**TWO)
    (site.folder / "in.csv").write_bytes("email,name\r\nzoe@readers.test,Zoë Ångström\r\n".encode(encoding))
    assert ("is not UTF-8" in site.run("subscribers", "import", "in.csv").err) is told
    assert people(site)["zoe@readers.test"]["name"] == "Zoë Ångström"


def test_what_is_exported_from_one_newsroom_is_the_same_in_another(newsroom: Make) -> None:
    site = newsroom(**TWO)
    (site.folder / "in.csv").write_text(
        "email,name,tags,state,digests,paused_until\n"
        "ada@readers.test,'=Ada,\"a, b\",active,\"daily, weekly\",\n"
        "bo@readers.test,,,pending,daily,\ncy@readers.test,Cy,,complained,,\n"
        "dee@readers.test,,,active,,2030-01-01T00:00:00+00:00\n",
        "utf-8",
    )  # fmt: skip
    site.run("subscribers", "import", "in.csv")
    before = people(site)
    assert (before["ada@readers.test"]["digests"], before["dee@readers.test"]["digests"]) == (["daily", "weekly"], [])
    assert before["dee@readers.test"]["paused_until"].startswith("2030")
    site.run("subscribers", "export", "out.csv")
    site.configure(data="other")
    site.run("subscribers", "import", "out.csv")
    moving = ("since", "reason")
    after = people(site)
    assert [{k: v for k, v in one.items() if k not in moving} for one in after.values()] == [
        {k: v for k, v in one.items() if k not in moving} for one in before.values()
    ]
    site.configure(digests=[{"name": "weekly"}])
    refused = site.run("subscribers", "import", "out.csv", code=1)
    assert "there is no digest 'daily'" in refused.err
    site.run("subscribers", "import", "out.csv", "--digest", "weekly")


def test_who_is_to_be_asked_first_is_pending_until_he_answers(newsroom: Make) -> None:
    site = newsroom(**TWO)
    (site.folder / "in.csv").write_text("email,status\nada@readers.test,\nbo@readers.test,unsubscribed\n", "utf-8")
    told = site.run("subscribers", "import", "in.csv", "--confirm").err
    assert "1 will be asked, 1 unsubscribed. Nobody was mailed yet" in told
    assert "will be asked to confirm" in site.run("subscribers", "add", "cy@readers.test", "--confirm").err
    assert "not again" in site.run("subscribers", "add", "cy@readers.test", "--confirm").err
    assert {one["email"]: one["state"] for one in people(site).values()} == {
        "ada@readers.test": "pending", "bo@readers.test": "unsubscribed", "cy@readers.test": "pending",
    }  # fmt: skip
    assert "asked" in site.run("explain", "ada@readers.test").out
    site.configure(web={"enabled": False})
    assert "web.enabled" in site.run("subscribers", "add", "dee@readers.test", "--confirm", code=2).err


def test_mailchimps_other_contacts_agreed_to_nothing(newsroom: Make) -> None:
    site = newsroom(**TWO)
    (site.folder / "nonsubscribed_email_audience_export_1.csv").write_text(
        "Email Address,First Name,LEID,EUID\nada@readers.test,Ada,1,2\n", "utf-8"
    )
    site.run("subscribers", "import", "nonsubscribed_email_audience_export_1.csv")
    assert people(site)["ada@readers.test"]["state"] == "pending"


def test_all_that_is_stored_of_a_person_is_handed_out_for_his_eyes_only_and_gone_after(newsroom: Make) -> None:
    site = newsroom(**TWO)
    site.run("subscribers", "add", "ada@readers.test", "--name", "Ada Lovelace")
    site.run("subscribers", "add", "ada@readers.test", "--digest", "daily", "--confirm")
    out = site.folder / "ada.json"
    site.run("subscribers", "show", "ada@readers.test", "-o", "ada.json")
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert json.loads(out.read_text("utf-8"))["name"] == "Ada Lovelace"
    site.run("subscribers", "remove", "ada@readers.test", "--erase")
    with sqlite3.connect(site.database) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    kept = b"".join(path.read_bytes() for path in site.data.rglob("*") if path.is_file())
    assert b"ada@readers" not in kept and b"Lovelace" not in kept
