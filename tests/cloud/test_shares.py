"""Room and turns: what there is, is shared among callers, and comes back whatever happens."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from nitro_workflow.cloud.local.call import ServiceFault
from nitro_workflow.cloud.local.http.shares import Room, Turns


def run(story: Any) -> Any:
    return asyncio.run(asyncio.wait_for(story, 60))


def test_room_is_never_more_than_there_is() -> None:
    async def story() -> tuple[int, int]:
        room, taken, most = Room(100, 60, 10, 300), 0, 0

        async def one(caller: str, size: int) -> None:
            nonlocal taken, most
            async with room.hold(caller, size):
                taken += size
                most = max(most, taken)
                await asyncio.sleep(0)
                taken -= size

        draw = random.Random(7)
        await asyncio.gather(*(one(draw.choice("abc"), draw.randint(1, 60)) for _ in range(300)))
        return taken, most

    left, most = run(story())
    assert left == 0
    assert 60 < most <= 100


def test_one_caller_leaves_room_for_others() -> None:
    async def story() -> None:
        room = Room(100, 60, 0.01, 9)
        async with room.hold("greedy", 60):
            with pytest.raises(ServiceFault, match="SlowDown"):
                async with room.hold("greedy", 1):
                    pass
            async with room.hold("honest", 40):
                with pytest.raises(ServiceFault, match="SlowDown") as refusal:
                    async with room.hold("third", 1):
                        pass
        assert refusal.value.status == 503
        async with room.hold("third", 60):
            pass

    run(story())


def test_no_more_of_one_caller_wait_than_there_are_places() -> None:
    async def story() -> list[str]:
        room, told = Room(10, 10, 10, 2), []

        async def one(name: str) -> None:
            try:
                async with room.hold(name, 10):
                    await asyncio.sleep(0)
                    told.append(name)
            except ServiceFault as fault:
                told.append(f"{name} {fault.code}")

        async with room.hold("first", 10):
            waiting = [asyncio.create_task(one(name)) for name in ("greedy",) * 4 + ("honest",)]
            await asyncio.sleep(0.01)
        await asyncio.gather(*waiting)
        await one("greedy")  # the places are free again
        return told

    assert sorted(run(story())) == [
        "greedy", "greedy", "greedy", "greedy SlowDown", "greedy SlowDown", "honest",
    ]  # fmt: skip


def test_who_waits_gets_the_room_that_is_left() -> None:
    async def story() -> list[str]:
        room, order = Room(10, 10, 10, 9), []

        async def one(name: str) -> None:
            async with room.hold(name, 10):
                order.append(name)
                await asyncio.sleep(0)

        await asyncio.gather(*(one(name) for name in "abcd"))
        return order

    assert sorted(run(story())) == list("abcd")


def test_who_gives_up_holds_nothing() -> None:
    async def story() -> None:
        room = Room(10, 10, 10, 9)
        async with room.hold("a", 10):
            waiting = asyncio.ensure_future(enter(room))
            await asyncio.sleep(0)
            waiting.cancel()
        async with room.hold("b", 10):
            pass

    async def enter(room: Room) -> None:
        async with room.hold("c", 10):
            raise AssertionError("it never came in")

    run(story())


def served(turns: Turns, wanted: dict[str, int]) -> list[str]:
    async def story() -> list[str]:
        order: list[str] = []

        async def one(caller: str) -> None:
            async with turns.turn(caller):
                order.append(caller)
                await asyncio.sleep(0)

        callers = [caller for caller, count in wanted.items() for _ in range(count)]
        await asyncio.gather(*map(one, callers))
        return order

    return run(story())  # type: ignore[no-any-return]


@pytest.mark.parametrize("by_round", [True, False])
def test_callers_take_turns(by_round: bool) -> None:
    """A hundred requests of one do not stand before the two of another."""
    order = served(Turns(1, 1, by_round=by_round), {"hostile": 100, "honest": 2})
    assert len(order) == 102
    assert order.index("honest") <= 2
    assert [n for n, caller in enumerate(order) if caller == "honest"][1] <= 4


def test_one_caller_never_has_all_places() -> None:
    async def story() -> int:
        turns, working, most = Turns(8, 4), 0, 0

        async def one() -> None:
            nonlocal working, most
            async with turns.turn("hostile"):
                working += 1
                most = max(most, working)
                await asyncio.sleep(0.001)
                working -= 1

        await asyncio.gather(*(one() for _ in range(40)))
        return most

    assert run(story()) == 4


def test_a_round_has_one_piece_of_work() -> None:
    async def story() -> list[int]:
        turns, rounds, now = Turns(1, 1, by_round=True), [], 0

        def tick() -> None:
            nonlocal now
            now += 1
            asyncio.get_running_loop().call_soon(tick)

        async def one(caller: str) -> None:
            async with turns.turn(caller):
                rounds.append(now)

        tick()
        await asyncio.gather(*(one(caller) for caller in "aabbcc"))
        return rounds

    rounds = run(story())
    assert len(set(rounds)) == 6


def test_turns_come_back_from_failures_and_cancelled_waiters() -> None:
    async def story() -> list[str]:
        turns, order = Turns(1, 1), []

        async def one(name: str, fails: bool = False) -> None:
            async with turns.turn(name[0]):
                await asyncio.sleep(0)
                if fails:
                    raise RuntimeError
                order.append(name)

        first = asyncio.ensure_future(one("a1", fails=True))
        waiters = [asyncio.ensure_future(one(f"{c}{n}")) for n in range(3) for c in "abc"]
        await asyncio.sleep(0)
        for waiter in waiters[::2]:
            waiter.cancel()
        await asyncio.gather(first, *waiters, return_exceptions=True)
        await asyncio.gather(*(one(f"d{n}") for n in range(3)))
        return order

    order = run(story())
    assert order[-3:] == ["d0", "d1", "d2"]
    assert len(order) == 4 + 3


@pytest.mark.parametrize("seed", range(5))
def test_all_are_served_in_the_end(seed: int) -> None:
    draw = random.Random(seed)
    wanted = {name: draw.randint(1, 30) for name in "abcdef"}
    order = served(Turns(draw.randint(1, 8), draw.randint(1, 4), by_round=seed % 2 == 0), wanted)
    assert {name: order.count(name) for name in wanted} == wanted
