"""subscribers import | export: lists of any length, in and out."""

from __future__ import annotations

import codecs
import contextlib
import io
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from syndicate.cli.people import Confirm, Digests, check_asking, chosen_digests
from syndicate.cli.progress import over_lines
from syndicate.cli.session import Session, one_of
from syndicate.errors import UsageError

if TYPE_CHECKING:
    from syndicate.lists import BadRow, Row
    from syndicate.store.bringing import Newcomer
    from syndicate.store.database import Store
    from syndicate.subscriber import State

BATCH = 20_000  # people a transaction
PIECE = 1 << 20  # bytes that are looked at together
WORDS = {"asked": "will be asked", "limited": "were asked enough"}  # other outcomes speak for themselves


def register(group: typer.Typer) -> None:
    group.command("import")(import_)
    group.command("export")(export)


def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="A header with `email`; `-` reads stdin.")],
    digest: Digests = None,
    as_: Annotated[
        str, typer.Option("--as", metavar="STATE", help="active, unsubscribed or bounced, where the file says none.")
    ] = "active",
    confirm: Confirm = False,
) -> None:
    """Import people from CSV. Nobody is mailed.

    Also read as Mailchimp, Ghost, listmonk, Substack and Buttondown export it. Who left stays away. A bad row is
    skipped and named with its line; exit 1 if any was.
    """
    session: Session = context.obj
    from syndicate import lists
    from syndicate.app import keys
    from syndicate.subscriber import State

    one_of(as_, ("active", "unsubscribed", "bounced"), "state to import")
    digests = chosen_digests(session, digest)
    if confirm:
        check_asking(session)
    with _opened(session, file) as (lines, size, position):
        try:
            people = lists.begin(lines)
        except ValueError as error:
            raise UsageError(f"{file}: {error}") from error
        if people.remark:
            session.say(people.remark)
        source = f"import of {file.name}{f' ({people.tool})' if people.tool else ''}"
        state = _by_name(file, people.tool) or State(as_)
        with contextlib.closing(session.ledger()) as store, over_lines(session, size) as tell:
            key = keys(session.settings).lasting
            run = _Import(session, store, state, digests, bool(digest), source, key, confirm)
            for count in run.bring(people.rows):
                tell(position(), count)
    run.report()


def _by_name(file: Path, tool: str) -> State | None:
    """Mailchimp's files say by their names whom they list; of some kinds, not by anything else."""
    from syndicate.subscriber import State

    kinds = {"unsubscribed": State.UNSUBSCRIBED, "cleaned": State.BOUNCED, "nonsubscribed": State.PENDING}
    return kinds.get(file.name.casefold().partition("_")[0]) if tool == "Mailchimp" else None


@dataclass
class _Import:
    """One run over a list; a batch is a transaction, and a second run over the same list finds it done."""

    session: Session
    store: Store
    state: State  # where the list says none
    digests: list[str]
    as_told: bool  # whether those were named, so that the list's own do not count
    source: str
    secret: bytes
    confirm: bool
    outcomes: Counter[str] = field(default_factory=Counter)
    skipped: int = 0

    def bring(self, rows: Iterator[Row | BadRow]) -> Iterator[int]:
        """Bring all of them; says after each batch in which line it is."""
        from syndicate.lists import BadRow

        now = self.session.clock.now()
        said = {"at": now.isoformat(), "from": self.source, "shown": "the owner vouches"}
        configured = {digest.name for digest in self.session.settings.digests}
        batch: list[Newcomer] = []
        for row in rows:
            if isinstance(row, BadRow):
                self._skip(row.line, row.reason)
            elif unknown := set(row.digests or ()) - configured if not self.as_told else None:
                self._skip(row.line, f"there is no digest {min(unknown)!r}: --digest NAME puts everybody into one")
            else:
                batch.append(self._newcomer(row, said))
            if len(batch) >= BATCH:
                self._put(batch)
                batch = []
                yield row.line
        self._put(batch)

    def _skip(self, line: int, reason: str) -> None:
        self.skipped += 1
        self.session.warn(f"line {line}: {reason}")

    def _newcomer(self, row: Row, said: dict[str, str]) -> Newcomer:
        from syndicate.store.bringing import Newcomer

        if row.agreed or row.stated or row.ip:
            told = {"stated": row.stated, "ip": row.ip}
            at = {"at": row.agreed.isoformat(), "imported": said["at"]} if row.agreed else {}
            said = said | at | {name: value for name, value in told.items() if value}
        return Newcomer(
            address=row.address, name=row.name, tags=", ".join(row.tags), state=row.state or self.state, consent=said,
            digests=tuple(self.digests) if row.digests is None or self.as_told else row.digests, paused_until=row.rest,
        )  # fmt: skip

    def _put(self, batch: list[Newcomer]) -> None:
        from syndicate.store import bringing

        if batch:
            how = bringing.ask if self.confirm else bringing.bring
            now = self.session.clock.now()
            self.outcomes += self.store.write_now(how, batch, secret=self.secret, now=now)

    def report(self) -> None:
        """The last line. Raises Exit with 1 if a row was skipped."""
        shown = [f"{count:,} {WORDS.get(word, word)}" for word, count in sorted(self.outcomes.items())] or ["nobody"]
        if self.skipped:
            shown.append(f"{self.skipped:,} {'line' if self.skipped == 1 else 'lines'} skipped")
        yet = " yet: `syndicate run` asks them" if self.outcomes["asked"] else ""
        self.session.say(f"{', '.join(shown)}. Nobody was mailed{yet}.")
        if self.session.json:
            self.session.document({"outcomes": dict(self.outcomes), "skipped": self.skipped})
        if self.skipped:
            raise typer.Exit(1)


# --- files ------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _opened(session: Session, file: Path) -> Iterator[tuple[TextIO, int | None, Callable[[], int]]]:
    """Lines of a file or of stdin, its size in bytes where it has one, and how many of them are read by now."""
    if str(file) == "-":
        with io.BufferedReader(io.FileIO(sys.stdin.fileno(), closefd=False), PIECE) as source:
            yield _text(source, _encoding(iter([source.peek()]))), None, lambda: 0
        return
    try:
        binary = file.open("rb")
        encoding = _encoding(iter(lambda: binary.read(PIECE), b""))
        binary.seek(0)
    except OSError as error:
        raise UsageError(f"cannot read {file}: {(error.strerror or str(error)).lower()}") from error
    if encoding == "cp1252":
        session.say(f"{file} is not UTF-8: it is read as Windows-1252, look at the names")
    with binary:
        yield _text(binary, encoding), file.stat().st_size, binary.tell


def _text(binary: Any, encoding: str) -> TextIO:
    return io.TextIOWrapper(binary, encoding, errors="replace", newline="")


def _encoding(pieces: Iterator[bytes]) -> str:
    """What a text is written in: as its first bytes say, else UTF-8 where all of it is, else what Windows wrote."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    for number, piece in enumerate(pieces):
        if number == 0 and piece.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16"
        try:
            decoder.decode(piece)
        except UnicodeDecodeError:
            return "cp1252"
    return "utf-8-sig"


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

    def stream(connection: Any) -> int:
        people = sum(subscribers.counts(connection).values())
        count = 0
        with (
            contextlib.nullcontext(sys.stdout) if to_stdout else _created(file) as out,
            over_lines(session, people) as tell,
        ):
            for count, line in enumerate(write_csv(subscribers.listing(connection))):  # the header is line 0
                out.write(line)
                if count % 1000 == 0:
                    tell(count, count)
        return count

    count = session.read(stream)
    session.say(f"{count:,} people written{'' if to_stdout else f' to {file}'}")
    if session.json:
        session.document({"people": count, "file": str(file)})


def _created(file: Path) -> TextIO:
    try:
        return file.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise UsageError(f"cannot write {file}: {(error.strerror or str(error)).lower()}") from error
