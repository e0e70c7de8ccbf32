"""One answer for many who ask: looked up once, and never what was so before something was done."""

from __future__ import annotations

import asyncio

from syndicate.web.kept import Kept


async def test_many_who_ask_at_once_get_one_answer() -> None:
    asked: list[int] = []

    async def ask() -> int:
        asked.append(1)
        await asyncio.sleep(0)
        return len(asked)

    kept = Kept(ask, share=0)
    assert await asyncio.gather(*(kept.get() for _ in range(5))) == [1] * 5
    kept.forget()
    assert await kept.get() == 2


async def test_what_was_being_looked_up_when_something_was_done_is_given_to_nobody_after_it() -> None:
    state, may_end = "before", asyncio.Event()

    async def ask() -> str:
        found = state
        await may_end.wait()
        return found

    kept = Kept(ask)
    early = asyncio.create_task(kept.get())
    await asyncio.sleep(0)
    state = "after"
    kept.forget()
    late = asyncio.create_task(kept.get())
    await asyncio.sleep(0)
    may_end.set()
    assert (await early, await late, await kept.get()) == ("before", "after", "after")
