"""subscribers add | remove | show | list | import | export."""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from syndicate.cli.session import Session, one_of
from syndicate.errors import SyndicateError, UsageError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from syndicate.subscriber import Address, State

IMPORT_BATCH = 2000  # rows a transaction


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="The people who get letters.", no_args_is_help=True)
    group.command("add")(add)
    group.command("remove")(remove)
    group.command("show")(show)
    group.command("list")(listing)
    group.command("import")(import_)
    group.command("export")(export)
    app.add_typer(group, name="subscribers")


Digests = Annotated[
    list[str] | None,
    typer.Option("--digest", metavar="NAME", help="May be repeated; the first digest in the file if none."),
]


def address_of(text: str) -> Address:
    """One address as typed. Raises UsageError."""
    from syndicate.subscriber import parse_address

    try:
        return parse_address(text)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _digests(session: Session, wanted: list[str] | None) -> list[str]:
    known = [digest.name for digest in session.settings.digests]
    for name in wanted or ():
        one_of(name, known, "digest")
    return list(wanted or known[:1])


def _hash(session: Session, key: str) -> str:
    from syndicate.app import secret
    from syndicate.store.subscribers import address_hash

    return address_hash(secret(session.settings), key)


def add(
    context: typer.Context,
    addresses: Annotated[list[str], typer.Argument(metavar="ADDRESS", help="Mail addresses.")],
    name: Annotated[str, typer.Option("--name", metavar="TEXT", help="The person's name.")] = "",
    digest: Digests = None,
) -> None:
    """Add people as active: you vouch for their consent.

    This lifts an earlier leaving of theirs. Nobody is mailed.
    """
    session: Session = context.obj
    from syndicate.store import subscribers
    from syndicate.subscriber import State, clean_name

    now = session.clock.now()
    digests = _digests(session, digest)
    parsed = [address_of(text) for text in addresses]
    done = []
    for address in parsed:

        def write(connection: Connection, address: Address = address) -> str:
            return subscribers.add(
                connection, address, name=clean_name(name), tags="", state=State.ACTIVE, digests=digests,
                consent={"at": now.isoformat(), "from": "subscribers add", "shown": "the owner vouches"},
                hashed=_hash(session, address.key), now=now, lifts=True,
            )  # fmt: skip

        outcome = session.write(write)
        done.append({"email": address.email, "outcome": outcome})
        session.say(f"{address.email}: {outcome}")
    if session.json:
        session.document(done)


def remove(
    context: typer.Context,
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="A mail address.")],
    erase: Annotated[bool, typer.Option("--erase", help="Delete everything but a hash that keeps them out.")] = False,
) -> None:
    """Unsubscribe somebody from everything, or erase them."""
    session: Session = context.obj
    from syndicate.app import secret
    from syndicate.store import subscribers
    from syndicate.subscriber import State

    parsed = address_of(address)

    def write(connection: Connection) -> bool:
        person = subscribers.by_key(connection, parsed.key)
        if person is None:
            return False
        reason = "removed by the owner"
        subscribers.leave(
            connection, person["id"], State.UNSUBSCRIBED, reason, secret(session.settings), session.clock.now()
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
    context: typer.Context, address: Annotated[str, typer.Argument(metavar="ADDRESS", help="A mail address.")]
) -> None:
    """Show one person: state, digests, consent. With --json all that is stored, every letter too."""
    session: Session = context.obj
    from syndicate.store import subscribers

    parsed = address_of(address)
    person = session.read(subscribers.everything, parsed.key, _hash(session, parsed.key))
    if person is None:
        raise UsageError(f"there is no subscriber {address!r}: `syndicate subscribers list` shows all")
    if "state" not in person:
        raise UsageError(f"there is no subscriber {address!r}; a hash of it is {_kept_out(person['suppressed'])}")
    if session.json:
        session.document(person)
        return
    letters = Counter(one["state"] for one in person.pop("letters", ()))
    person["letters"] = ", ".join(f"{count} {state}" for state, count in sorted(letters.items()))
    if suppressed := person.pop("suppressed"):
        person["for imports"] = _kept_out(suppressed)
    for field, value in person.items():
        if value not in (None, "", []):
            session.field(field, value)


def _kept_out(suppressed: Mapping[str, Any]) -> str:
    return f"kept out since {suppressed['since']:%Y-%m-%d %H:%M} UTC ({suppressed['reason']})"


def listing(context: typer.Context) -> None:
    """List everybody, in every state."""
    session: Session = context.obj
    from syndicate.store import subscribers

    people = session.read(lambda connection: list(subscribers.listing(connection)))
    if session.json:
        shown = ("email", "name", "state", "digests", "since", "reason")
        session.document([{field: person[field] for field in shown} for person in people])
        return
    rows = [(one["email"], one["state"], ", ".join(one["digests"]), one["since"], one["reason"]) for one in people]
    session.table(
        ("email", "state", "digests", "since", "why"),
        rows,
        empty="Nobody yet: `syndicate subscribers add ADDRESS` or `import FILE.csv`.",
    )


def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="A header with `email`; `-` reads stdin.")],
    digest: Digests = None,
    as_: Annotated[
        str, typer.Option("--as", metavar="STATE", help="active, unsubscribed or bounced, where the file says none.")
    ] = "active",
) -> None:
    """Import people from CSV. Nobody is mailed.

    Also read as Mailchimp, Ghost, listmonk, Substack and Buttondown export it. Who left stays away. A bad row is
    skipped and named with its line; exit 1 if any was.
    """
    session: Session = context.obj
    from syndicate.lists import BadRow
    from syndicate.subscriber import State

    one_of(as_, ("active", "unsubscribed", "bounced"), "state to import")
    digests = _digests(session, digest)
    outcomes: dict[str, int] = {}
    bad = 0
    batch: list[Any] = []
    for row in _rows(file):
        if isinstance(row, BadRow):
            bad += 1
            session.warn(f"line {row.line}: {row.reason}")
            continue
        batch.append(row)
        if len(batch) >= IMPORT_BATCH:
            _import(session, batch, State(as_), digests, outcomes, file.name)
            batch = []
    _import(session, batch, State(as_), digests, outcomes, file.name)
    told = ", ".join(f"{count} {name}" for name, count in sorted(outcomes.items())) or "nobody"
    skipped = f", {bad} {'line' if bad == 1 else 'lines'} skipped" if bad else ""
    session.say(f"{told}{skipped}. Nobody was mailed.")
    if session.json:
        session.document({"outcomes": outcomes, "skipped": bad})
    if bad:
        raise typer.Exit(1)


def _import(
    session: Session, rows: Iterable[Any], state: State, digests: list[str], outcomes: dict[str, int], name: str
) -> None:
    from syndicate.store import subscribers

    now = session.clock.now()

    def write(connection: Connection) -> None:
        for row in rows:
            outcome = subscribers.add(
                connection, row.address, name=row.name, tags=", ".join(row.tags), state=row.state or state,
                digests=digests,
                consent={"at": now.isoformat(), "from": f"import of {name}", "shown": "the owner vouches"},
                hashed=_hash(session, row.address.key), now=now, lifts=False,
            )  # fmt: skip
            outcomes[outcome] = outcomes.get(outcome, 0) + 1

    session.write(write)


def _rows(file: Path) -> Iterator[Any]:
    from syndicate.lists import read_csv

    try:
        yield from read_csv(_lines(file))
    except ValueError as error:
        raise UsageError(f"{file}: {error}") from error


def _lines(file: Path) -> Iterator[str]:
    if str(file) == "-":
        yield from sys.stdin
        return
    try:
        with file.open(encoding="utf-8-sig", errors="replace", newline="") as lines:
            yield from lines
    except OSError as error:
        raise UsageError(f"cannot read {file}: {(error.strerror or str(error)).lower()}") from error


def export(
    context: typer.Context, file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="`-` writes stdout.")]
) -> None:
    """Export everybody as CSV, safe to open in a spreadsheet."""
    session: Session = context.obj
    from syndicate.lists import write_csv
    from syndicate.store import subscribers

    to_stdout = str(file) == "-"
    if to_stdout and session.json:
        raise UsageError("the CSV and the JSON document cannot both go to stdout: name a file")

    def stream(connection: Connection) -> int:
        count = 0
        with contextlib.nullcontext(sys.stdout) if to_stdout else _created(file) as out:
            for line in write_csv(subscribers.listing(connection)):
                out.write(line)
                count += 1
        return count - 1

    count = session.read(stream)
    session.say(f"{count} people written{'' if to_stdout else f' to {file}'}")
    if session.json:
        session.document({"people": count, "file": str(file)})


def _created(file: Path) -> TextIO:
    try:
        return file.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise UsageError(f"cannot write {file}: {(error.strerror or str(error)).lower()}") from error
