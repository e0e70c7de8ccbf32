"""What must hold after any fault, judged by the world: what the servers of the tests received, beside the ledger.

Each invariant takes a `World` and a `Ledger` and says, in sentences, where it is broken; `broken` asks them all. They
are pure: crash tests, storms and the simulation hand in what they saw.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from xml.etree import ElementTree

from sqlalchemy import Connection, Table, select

from syndicate.letter import message_id
from syndicate.store import schema
from syndicate.store.database import AnyRow, Store

GROUP = 25  # letters at most that one connection has on the wire
ENDED = frozenset({"sent", "failed", "suppressed", "expired", "unknown", "rehearsed"})  # of a letter


class Post(NamedTuple):
    """One announcement that a public channel accepted."""

    channel: str
    address: str  # of the article it links to


class Copy(NamedTuple):
    """One letter that a mail server accepted."""

    to: str
    message_id: str
    data: str


@dataclass(slots=True, kw_only=True)
class World:
    """What happened outside. `kills` and `doubts` are all that excuses a letter which comes twice."""

    posts: list[Post] = field(default_factory=list)
    copies: list[Copy] = field(default_factory=list)
    earlier: dict[str, set[str]] = field(default_factory=dict)  # address -> editions made before he came
    left: dict[str, int] = field(default_factory=dict)  # address -> copies in the world when his leaving was committed
    kills: int = 0
    doubts: int = 0  # letters accepted whose answer got lost
    connections: int = 1  # of mail, in all processes


class Letter(NamedTuple):
    """One row of `letters` or `letters_past`."""

    delivery: int
    subscriber: int
    state: str
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """The rows that the promise is about, as they stood in one transaction."""

    secret: bytes  # of Message-IDs
    deliveries: Sequence[AnyRow]
    letters: Sequence[Letter]
    articles: Sequence[AnyRow]
    attempts: Sequence[AnyRow]
    editions: Sequence[AnyRow]
    edition_articles: Sequence[AnyRow]
    subscribers: Sequence[AnyRow]
    subscriptions: Sequence[AnyRow]
    suppressions: frozenset[str]
    owners: frozenset[str]
    claimants: frozenset[str]

    @classmethod
    def read(cls, store: Store, secret: bytes) -> Ledger:
        """The ledger as it stands."""
        return store.read_now(_read, secret)

    def of_mail(self) -> dict[int, AnyRow]:
        """Frozen email deliveries by id."""
        return {row.id: row for row in self.deliveries if row.channel == "email" and row.payload}

    def names(self) -> dict[str, Letter]:
        """Message-ID -> its letter."""
        domains = {row.id: json.loads(row.payload)["domain"] for row in self.of_mail().values()}
        return {
            message_id(self.secret, one.delivery, one.subscriber, domains[one.delivery]): one for one in self.letters
        }


def _read(connection: Connection, secret: bytes) -> Ledger:
    def rows(table: Table) -> Sequence[AnyRow]:
        return connection.execute(select(table)).all()

    hot, deliveries = rows(schema.letters), rows(schema.deliveries)
    letters = [
        Letter(row.delivery, row.subscriber, row.state, row.attempts) for row in (*hot, *rows(schema.letters_past))
    ]
    owners = frozenset(row.id for row in rows(schema.owners))
    claimants = frozenset(row.owner for row in (*hot, *deliveries) if row.owner)
    return Ledger(
        secret=secret, deliveries=deliveries, letters=letters, articles=rows(schema.articles),
        attempts=rows(schema.attempts), editions=rows(schema.editions),
        edition_articles=rows(schema.edition_articles), subscribers=rows(schema.subscribers),
        subscriptions=rows(schema.subscriptions),
        suppressions=frozenset(row.address_hash for row in rows(schema.suppressions)), owners=owners,
        claimants=claimants,
    )  # fmt: skip


# --- nobody forgotten -------------------------------------------------------------------------------------------------


def every_reader_has_a_letter(world: World, ledger: Ledger) -> Iterator[str]:
    """I1: who was active and subscribed when an edition was frozen has a letter of it."""
    made = {row.slug: row for row in ledger.editions}
    chosen = {(row.subscriber, row.digest) for row in ledger.subscriptions}
    there = {(one.delivery, one.subscriber) for one in ledger.letters}
    for delivery in ledger.of_mail().values():
        edition = made.get(delivery.subject)
        if edition is None:
            continue
        for person in ledger.subscribers:
            reads = person.state == "active" and (person.id, edition.digest) in chosen
            came = person.since < edition.made_at and edition.slug not in world.earlier.get(person.email, ())
            if reads and came and (delivery.id, person.id) not in there:
                yield f"I1: {person.email} has no letter of {edition.slug}"


def what_counts_as_sent_was_received(world: World, ledger: Ledger) -> Iterator[str]:
    """I2: each sent letter and each sent announcement is in the world."""
    received = {copy.message_id for copy in world.copies}
    for name, letter in ledger.names().items():
        if letter.state == "sent" and name not in received:
            yield f"I2: letter {letter.delivery}/{letter.subscriber} is sent, and nobody received it"
    addresses = {row.id: row.url for row in ledger.articles}
    posted = {(post.channel, post.address) for post in world.posts}
    for row in _announcements(ledger):
        if row.state == "sent" and (row.channel, addresses.get(row.subject)) not in posted:
            yield f"I2: delivery {row.id} ({row.title}) is sent, and {row.channel} has no such post"


def nothing_is_left_over(world: World, ledger: Ledger) -> Iterator[str]:
    """I1, once everything had its turn: no letter is still due or claimed, no delivery claimed."""
    for letter in ledger.letters:
        if letter.state not in ENDED:
            yield f"I1: letter {letter.delivery}/{letter.subscriber} is still {letter.state}"
    for row in ledger.deliveries:
        if row.state in ("claimed", "planned"):
            yield f"I1: delivery {row.id} ({row.title}) is still {row.state}"


# --- nobody twice, nobody else ----------------------------------------------------------------------------------------


def the_world_holds_nothing_else(world: World, ledger: Ledger) -> Iterator[str]:
    """I3: each copy has its letter, to that person; each post has its delivery, begun."""
    names = ledger.names()
    people = {row.id: row.email for row in ledger.subscribers}
    for copy in world.copies:
        letter = names.get(copy.message_id)
        if letter is None:
            yield f"I3: {copy.to} received {copy.message_id}, and no letter bears that name"
        elif people.get(letter.subscriber, copy.to) != copy.to:
            yield f"I3: {copy.to} received the letter of {people[letter.subscriber]}"
    addresses = {row.id: row.url for row in ledger.articles}
    begun = {(row.channel, addresses.get(row.subject)) for row in _announcements(ledger) if row.attempts}
    for post in world.posts:
        if (post.channel, post.address) not in begun:
            yield f"I3: {post.channel} has a post of {post.address}, and no delivery of it was begun"


def letters_come_twice_only_after_a_fault(world: World, ledger: Ledger) -> Iterator[str]:
    """I4: a kill repeats one group a connection at most, a lost answer one letter."""
    repeats = len(world.copies) - len({(copy.to, copy.message_id) for copy in world.copies})
    allowed = world.kills * GROUP * world.connections + world.doubts
    if repeats > allowed:
        yield f"I4: {repeats} letters came twice; {world.kills} kills and {world.doubts} doubts explain {allowed}"


def copies_are_alike(world: World, ledger: Ledger) -> Iterator[str]:
    """I5: one letter has one text and one reader, however often it came."""
    texts: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for copy in world.copies:
        texts[copy.message_id].add((copy.to, copy.data))
    for name, variants in texts.items():
        if len(variants) > 1:
            yield f"I5: {name} came in {len(variants)} variants"


def an_article_is_announced_once(world: World, ledger: Ledger) -> Iterator[str]:
    """I8, I9: one post for each article and channel, unless a person sent it again."""
    addresses = {row.id: row.url for row in ledger.articles}
    again = {(row.channel, addresses.get(row.subject)): row.round for row in _announcements(ledger) if row.round > 1}
    for post, count in Counter(world.posts).items():
        if count > again.get((post.channel, post.address), 1):
            yield f"I8: {post.channel} has {count} posts of {post.address}"


def one_at_a_time(world: World, ledger: Ledger) -> Iterator[str]:
    """Rule 12: a public channel has one delivery in flight, whatever the number of workers."""
    flying = Counter(row.channel for row in _announcements(ledger) if row.state == "claimed")
    yield from (f"rule 12: {channel} has {count} in flight" for channel, count in flying.items() if count > 1)


# --- nobody who left --------------------------------------------------------------------------------------------------


def who_left_gets_nothing(world: World, ledger: Ledger) -> Iterator[str]:
    """I6: no letter reaches anybody after his leaving was committed."""
    for address, before in world.left.items():
        late = [copy for copy in world.copies[before:] if copy.to == address]
        if late:
            yield f"I6: {address} left and received {len(late)} letters afterwards"


# --- nothing that contradicts itself ----------------------------------------------------------------------------------


def a_slot_has_one_edition(world: World, ledger: Ledger) -> Iterator[str]:
    """I10: one edition for each digest and slot, in the ledger and in each person's mail."""
    slots = Counter((row.digest, row.slot) for row in ledger.editions if row.slot)
    yield from (
        f"I10: {digest} of {slot} was made {count} times" for (digest, slot), count in slots.items() if count > 1
    )
    made = {row.slug: (row.digest, row.slot) for row in ledger.editions}
    frozen, names = ledger.of_mail(), ledger.names()
    received: dict[tuple[str, Any], set[str]] = defaultdict(set)
    for copy in world.copies:
        letter = names.get(copy.message_id)
        slot = made.get(frozen[letter.delivery].subject) if letter else None
        if slot and slot[1]:
            received[copy.to, slot].add(copy.message_id)
    yield from (f"I10: {to} has {len(ids)} letters of {slot}" for (to, slot), ids in received.items() if len(ids) > 1)


def what_waits_for_a_person_has_no_letters(world: World, ledger: Ledger) -> Iterator[str]:
    """Rule 14: nobody gets an edition that was held, or passed over."""
    unfrozen = {row.slug for row in ledger.editions if row.state != "frozen"}
    mailings = {row.id: row.subject for row in ledger.deliveries if row.subject in unfrozen}
    yield from {
        f"rule 14: {mailings[one.delivery]} has letters, and is not frozen" for one in ledger.letters
        if one.delivery in mailings
    }  # fmt: skip


def an_article_is_in_one_edition(world: World, ledger: Ledger) -> Iterator[str]:
    """I11: an article is in at most one live edition of a digest."""
    places = Counter((row.digest, row.article) for row in ledger.edition_articles if row.live)
    yield from (
        f"I11: {article} is in {count} editions of {digest}" for (digest, article), count in places.items() if count > 1
    )


def every_claim_has_an_owner(world: World, ledger: Ledger) -> Iterator[str]:
    """I14: what is claimed is claimed by a process that is in the ledger; only for standing processes, after a pass."""
    yield from (f"I14: {one} holds a claim and is not there" for one in sorted(ledger.claimants - ledger.owners))


def attempts_are_numbered(world: World, ledger: Ledger) -> Iterator[str]:
    """I15: a delivery counts at least the attempts that were noted."""
    counted = {row.id: row.attempts for row in ledger.deliveries}
    for row in ledger.attempts:
        if not row.letter and row.number > counted[row.delivery]:
            yield f"I15: delivery {row.delivery} counts {counted[row.delivery]} attempts, number {row.number} is noted"


Invariant = Callable[[World, Ledger], Iterator[str]]

ALWAYS: tuple[Invariant, ...] = (
    every_reader_has_a_letter,
    what_counts_as_sent_was_received,
    the_world_holds_nothing_else,
    letters_come_twice_only_after_a_fault,
    copies_are_alike,
    an_article_is_announced_once,
    one_at_a_time,
    who_left_gets_nothing,
    a_slot_has_one_edition,
    what_waits_for_a_person_has_no_letters,
    an_article_is_in_one_edition,
    attempts_are_numbered,
)
AT_THE_END: tuple[Invariant, ...] = (*ALWAYS, nothing_is_left_over, every_claim_has_an_owner)


def broken(world: World, ledger: Ledger, *, drained: bool = False) -> list[str]:
    """Every invariant that does not hold, a sentence each; `drained`: all had its turn and nothing is running."""
    return [words for one in (AT_THE_END if drained else ALWAYS) for words in one(world, ledger)]


def undone(before: Ledger, after: Ledger) -> list[str]:
    """I7: what must never go back, between two looks: sent stays sent, and nobody comes back from suppression.

    Of an edition that holds for its letters: `retry` takes up those that failed.
    """
    was = {row.id: row for row in before.deliveries}
    words = [f"I7: {one} is no longer suppressed" for one in sorted(before.suppressions - after.suppressions)]
    for row in after.deliveries:
        old = was.pop(row.id, row)
        if old.state == "sent" != row.state and row.channel != "email":
            words.append(f"I7: delivery {row.id} was sent and is {row.state}")
    words += [f"I7: delivery {gone} is no longer there" for gone in was]
    sent = {(one.delivery, one.subscriber): one.state for one in after.letters}
    for one in before.letters:
        if one.state == "sent" and sent.get((one.delivery, one.subscriber)) != "sent":
            words.append(f"I7: letter {one.delivery}/{one.subscriber} was sent and is no longer")
    return words


# --- feeds ------------------------------------------------------------------------------------------------------------


def feed_ids(files: Mapping[str, bytes]) -> dict[str, str]:
    """I12: all three feeds can be read and name the same articles; returns id by title. Raises AssertionError."""
    items = json.loads(files["feed.json"])["items"]
    ids = {item["title"]: item["id"] for item in items}
    rss, atom = ElementTree.fromstring(files["feed.xml"]), ElementTree.fromstring(files["atom.xml"])
    wanted = sorted(ids.values())
    assert sorted(item.findtext("guid") or "" for item in rss.iterfind(".//item")) == wanted, "I12: RSS differs"
    entry = "{http://www.w3.org/2005/Atom}"
    assert sorted(one.findtext(f"{entry}id") or "" for one in atom.iterfind(f"{entry}entry")) == wanted, (
        "I12: Atom differs"
    )
    assert len(ids) == len(items), "I12: two items have one title"
    return ids


def _announcements(ledger: Ledger) -> Iterator[AnyRow]:
    return (row for row in ledger.deliveries if row.channel != "email" and row.live)
