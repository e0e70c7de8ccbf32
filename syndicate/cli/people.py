"""subscribers add | remove | show | list: one person, or all of them on a screen. Their lists are in `lists`."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from syndicate.cli.session import Session, one_of
from syndicate.errors import SyndicateError, UsageError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from syndicate.subscriber import Address


def register(app: typer.Typer) -> typer.Typer:
    """Returns the group of commands, to which others add."""
    group = typer.Typer(help="The people who get letters.", no_args_is_help=True)
    group.command("add")(add)
    group.command("remove")(remove)
    group.command("show")(show)
    group.command("list")(listing)
    app.add_typer(group, name="subscribers")
    return group


ASKED = {  # what became of one who is to be asked
    "asked": "will be asked to confirm, by `syndicate run`",
    "known": "is subscribed already",
    "limited": "was asked within a day, or three times in all: not again",
}

Digests = Annotated[
    list[str] | None,
    typer.Option("--digest", metavar="NAME", help="May be repeated; the first digest in the file if none."),
]


Confirm = Annotated[bool, typer.Option("--confirm", help="Ask them first, by a mail with a link that confirms.")]


def address_of(text: str) -> Address:
    """One address as typed. Raises UsageError."""
    from syndicate.subscriber import parse_address

    try:
        return parse_address(text)
    except ValueError as error:
        raise UsageError(str(error)) from error


def chosen_digests(session: Session, wanted: list[str] | None) -> list[str]:
    """The digests as named, else the first in the file. Raises UsageError for one that is not there."""
    known = [digest.name for digest in session.settings.digests]
    for name in wanted or ():
        one_of(name, known, "digest")
    return list(wanted or known[:1])


def check_asking(session: Session) -> None:
    """Raises UsageError where nobody could be asked to confirm."""
    if session.settings.email is None:
        raise UsageError("--confirm asks by mail: an [email] table is needed")
    if not session.settings.web.enabled:
        raise UsageError("--confirm sends a link that this program answers: web.enabled is needed")


def hash_of(session: Session, key: str) -> str:
    """What is kept of an address when its person is erased."""
    from syndicate.app import keys
    from syndicate.store.subscribers import address_hash

    return address_hash(keys(session.settings).lasting, key)


def add(
    context: typer.Context,
    addresses: Annotated[list[str], typer.Argument(metavar="ADDRESS", help="Mail addresses.")],
    name: Annotated[str, typer.Option("--name", metavar="TEXT", help="The person's name.")] = "",
    digest: Digests = None,
    confirm: Confirm = False,
) -> None:
    """Add people as active: you vouch for their consent. Nobody is mailed.

    This lifts an earlier leaving of theirs. With --confirm they are asked instead, and only their answer does.
    """
    session: Session = context.obj
    digests = chosen_digests(session, digest)
    if confirm:
        check_asking(session)
    parsed = [address_of(text) for text in addresses]
    done = []
    for address in parsed:
        outcome = session.write(_ask if confirm else _vouch, session, address, name, digests)
        done.append({"email": address.email, "outcome": outcome})
        session.say(f"{address.email}: {ASKED.get(outcome, outcome)}")
    if session.json:
        session.document(done)


def _vouch(connection: Connection, session: Session, address: Address, name: str, digests: list[str]) -> str:
    from syndicate.store import subscribers
    from syndicate.subscriber import State, clean_name

    now = session.clock.now()
    return subscribers.add(
        connection, address, name=clean_name(name), tags="", state=State.ACTIVE, digests=digests,
        consent={"at": now.isoformat(), "from": "subscribers add", "shown": "the owner vouches"},
        hashed=hash_of(session, address.key), now=now, lifts=True,
    )  # fmt: skip


def _ask(connection: Connection, session: Session, address: Address, name: str, digests: list[str]) -> str:
    from syndicate.store import confirmations, subscribers
    from syndicate.subscriber import clean_name

    now = session.clock.now()
    outcome = confirmations.ask(
        connection, address=address, hashed=hash_of(session, address.key), digests=digests,
        consent={"at": now.isoformat(), "from": "subscribers add", "shown": "asked by mail"}, now=now,
    )  # fmt: skip
    if outcome == "asked":
        subscribers.introduce(connection, address, clean_name(name), "")
    return outcome


def remove(
    context: typer.Context,
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="A mail address.")],
    erase: Annotated[bool, typer.Option("--erase", help="Delete everything but a hash that keeps them out.")] = False,
) -> None:
    """Unsubscribe somebody from everything, or erase them."""
    session: Session = context.obj
    from syndicate.app import keys
    from syndicate.store import subscribers
    from syndicate.subscriber import State

    parsed = address_of(address)

    def write(connection: Connection) -> bool:
        person = subscribers.by_key(connection, parsed.key)
        if person is None:
            return False
        reason = "removed by the owner"
        subscribers.leave(
            connection, person["id"], State.UNSUBSCRIBED, reason, keys(session.settings).lasting, session.clock.now()
        )
        return subscribers.erase(connection, parsed.key) if erase else True

    # Before and after: a rehearsal under way writes no more once the person is gone.
    files = _forget_files(session, parsed) if erase else 0
    known = session.write(write)
    files += _forget_files(session, parsed) if erase else 0
    if not known and not files:
        raise UsageError(f"there is no subscriber {address!r}: `syndicate subscribers list` shows all")
    done = "erased" if erase else "unsubscribed"
    session.say(f"{address}: {done}{f', and {files} letters in the outbox' if files else ''}")
    if session.json:
        session.document({"email": address, "outcome": done})


def _forget_files(session: Session, address: Address) -> int:
    from syndicate.subscriber import parse_address
    from syndicate.transports.outbox import forget

    def is_theirs(text: str) -> bool:
        try:
            return parse_address(text).key == address.key
        except ValueError:
            return False

    try:
        return forget(session.settings.data / "outbox" / "email", is_theirs)
    except OSError as error:
        raise SyndicateError(f"cannot delete {error.filename}: {error.strerror}; then repeat this") from error


def show(
    context: typer.Context,
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="A mail address.")],
    output: Annotated[
        Path | None, typer.Option("-o", metavar="FILE", help="Write all that is stored there, as JSON.")
    ] = None,
) -> None:
    """Show one person: state, digests, consent. With --json, or -o FILE to hand out, all that is stored."""
    session: Session = context.obj
    from syndicate.store import people

    parsed = address_of(address)
    person = session.read(people.everything, parsed.key, hash_of(session, parsed.key))
    if person is None or (output is None and "state" not in person):
        raise UsageError(f"there is no subscriber {address!r}{_kept_out(person)}")
    if output is not None:
        _write(session, output, person)
    if session.json:
        session.document(person)
    elif output is None:
        _tell(session, person)


def _tell(session: Session, person: dict[str, Any]) -> None:
    letters = Counter(one["state"] for one in person.pop("letters"))
    person["letters"] = ", ".join(f"{count} {state}" for state, count in sorted(letters.items()))
    person["wishes"] = [f"{one['at']:%Y-%m-%d %H:%M} UTC {one['what']}" for one in person["wishes"]]
    person["asked"] = [f"{one['asked_at']:%Y-%m-%d %H:%M} UTC" for one in person["asked"]]
    person["returns"] = [f"{one['received_at']:%Y-%m-%d %H:%M} UTC {one['kind']}" for one in person["returns"]]
    if suppressed := person.pop("suppressed"):
        person["for imports"] = f"kept out since {suppressed['since']:%Y-%m-%d %H:%M} UTC ({suppressed['reason']})"
    for field, value in person.items():
        if value not in (None, "", []):
            session.field(field, value)


def _write(session: Session, file: Path, person: Mapping[str, Any]) -> None:
    """For that person's eyes: nobody else on this machine may read it."""
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            session.document(person, out)
    except OSError as error:
        raise UsageError(f"cannot write {file}: {(error.strerror or str(error)).lower()}") from error
    session.say(f"all that is stored of {person['email']} is in {file}")


def _kept_out(person: Mapping[str, Any] | None) -> str:
    if person is None:
        return ": `syndicate subscribers list` shows all"
    if kept := person["suppressed"]:
        return f"; a hash of it is kept out since {kept['since']:%Y-%m-%d %H:%M} UTC ({kept['reason']})"
    return "; a hash of it tells how often it was asked to confirm"


def listing(context: typer.Context) -> None:
    """List everybody, in every state."""
    session: Session = context.obj
    from syndicate.store import subscribers

    columns = ("email", "state", "digests", "since", "why")
    fields = ("email", "name", "state", "digests", "since", "reason", "paused_until")

    def tell(connection: Connection) -> None:
        people = subscribers.listing(connection)
        if session.json:
            session.documents({field: person[field] for field in fields} for person in people)
            return
        rows = ((one["email"], one["state"], ", ".join(one["digests"]), one["since"], _why(one)) for one in people)
        empty = "Nobody yet: `syndicate subscribers add ADDRESS` or `import FILE.csv`."
        session.table(columns, rows, empty=empty)

    session.read(tell)


def _why(person: Mapping[str, Any]) -> str:
    """What keeps somebody from getting mail, or from getting it now."""
    return person["reason"] or (f"rests until {person['paused_until']:%Y-%m-%d}" if person["paused_until"] else "")
