"""bounces: what a mail server hands back, from its pipe or from files."""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from syndicate.cli.session import Session
from syndicate.errors import StoreError, SyndicateError, UsageError

if TYPE_CHECKING:
    from syndicate.returning import Outcome
    from syndicate.signer import Keys
    from syndicate.store.database import Store

TRY_AGAIN = 75  # EX_TEMPFAIL of sysexits.h: a mail server keeps the mail and comes again; any other would bounce it
BATCH = 100  # mails a transaction


def register(app: typer.Typer) -> None:
    app.command("bounces")(bounces)


def bounces(
    context: typer.Context,
    source: Annotated[str, typer.Argument(metavar="FILE|-", help="A mail, an mbox, a Maildir folder, or stdin.")],
    vouch: Annotated[
        bool, typer.Option("--vouch", help="You know where it comes from: believe an address without a mark of ours.")
    ] = False,
) -> None:
    """Read delivery reports and complaints.

    For the pipe of a mail server: junk is no error, exit 75 asks it to come again later.
    """
    session: Session = context.obj
    piped = source == "-"
    try:
        told = _read(session, source, vouch=vouch)
    except (SyndicateError, OSError) as error:
        if not piped:
            raise
        for line in str(error).splitlines():
            session.warn(f"syndicate: {line}")
        raise typer.Exit(TRY_AGAIN) from error
    if session.json:
        session.document([asdict(one) for one in told])
        return
    if piped:  # nobody reads it, and some mail servers take words for a failure
        return
    for one in told:
        session.result(_line(one))
    kinds = Counter(one.kind or one.sort for one in told)
    session.say(", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())) or "There is no mail in it.")


def _read(session: Session, source: str, *, vouch: bool) -> list[Outcome]:
    """Store all that is there, a batch a transaction, then draw the consequences."""
    from syndicate.app import keys
    from syndicate.returning import apply_all

    ring = keys(session.settings)
    told: list[Outcome] = []
    with contextlib.closing(session.ledger()) as store:
        batch: list[bytes] = []
        for mail in _mails(source):
            batch.append(mail)
            if len(batch) == BATCH:
                told += _keep(session, store, ring, batch, vouch=vouch)
                batch = []
        told += _keep(session, store, ring, batch, vouch=vouch)
        try:
            apply_all(store, ring.lasting, session.clock.now())
        except StoreError as error:  # nothing is lost: it is stored, and `run` goes on with it
            session.warn(f"syndicate: {error}; what was read is stored, and `syndicate run` applies it")
    return told


def _keep(session: Session, store: Store, ring: Keys, mails: Sequence[bytes], *, vouch: bool) -> list[Outcome]:
    from syndicate import bounces
    from syndicate.returning import take
    from syndicate.store.returns import RAW_LIMIT

    read = [(bounces.read(mail), mail[:RAW_LIMIT].decode("utf-8", "replace")) for mail in mails]

    email = session.settings.email
    how = {"vouched": vouch, "marked": bool(email and email.bounce_address)}

    def write(connection: Any) -> list[Outcome]:
        now = session.clock.now()
        return [one for reports, raw in read for one in take(connection, ring, reports, raw, now, **how)]

    return store.write_now(write) if read else []


def _mails(source: str) -> Iterator[bytes]:
    from syndicate.bounces import messages

    if source == "-":
        yield from messages(sys.stdin.buffer)
        return
    path = Path(source)
    if not path.exists():
        raise UsageError(f"there is no file {source}")
    files = [path]
    if path.is_dir():
        boxes = [path / name for name in ("new", "cur")]
        if not any(box.is_dir() for box in boxes):
            raise UsageError(f"{source} is a folder, and no Maildir: that has folders `new` and `cur`")
        files = sorted(file for box in boxes if box.is_dir() for file in box.iterdir() if file.is_file())
    for file in files:
        with file.open("rb") as handle:
            yield from messages(handle)


_NOTHING = {
    "passing": "not over yet: nothing to do",
    "answer": "an automatic answer: ignored",
    "no complaint": "no complaint: ignored",
    "unknown": "not recognised, kept for 30 days",
}


def _line(one: Outcome) -> str:
    who = one.email or "nobody who is known"
    of = f", delivery {one.delivery}" if one.delivery else ""
    said = f": {one.answer}" if one.answer else ""
    if word := _NOTHING.get(one.sort):
        return f"{word}{f' ({who}{of})' if one.email else ''}{said}"
    again = " (known already)" if one.known else ""
    doubt = "" if one.proved else "; not believed: it bears no mark of a letter of ours (--vouch believes it)"
    return f"{one.kind:<10} {who}{of}{said}{again}{doubt}"
