"""A head waits for its body, never longer than one round of the loop, and nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro_workflow.cloud.local.http.gathering import Gathering

HEAD = b"HTTP/1.1 200 OK\r\n\r\n"


class Recorder(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.ended = ""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def close(self) -> None:
        self.ended = "closed"

    def abort(self) -> None:
        self.ended = "aborted"


def run(use: Callable[[Gathering], object], *, rounds: int = 0) -> Recorder:
    recorder = Recorder()

    async def main() -> None:
        use(Gathering(recorder))
        for _ in range(rounds):
            await asyncio.sleep(0)

    asyncio.run(main())
    return recorder


def written(gathering: Gathering) -> list[bytes]:
    return list(gathering._transport.written)


def test_head_and_body_go_out_together():
    assert run(lambda it: (it.write(HEAD), it.write(b"body"))).written == [HEAD + b"body"]


def test_a_lone_head_goes_out_with_the_next_round():
    at_once: list[list[bytes]] = []
    recorder = run(lambda it: (it.write(HEAD), at_once.append(written(it))), rounds=1)
    assert at_once == [[]]
    assert recorder.written == [HEAD]


def test_content_is_never_held():
    block = bytes(256 * 1024)
    assert run(lambda it: (it.write(HEAD), it.write(block), it.write(block))).written == [
        HEAD + block,
        block,
    ]


def test_closing_sends_what_is_held_and_aborting_does_not():
    closed = run(lambda it: (it.write(HEAD), it.close()), rounds=1)
    assert (closed.written, closed.ended) == ([HEAD], "closed")
    aborted = run(lambda it: (it.write(HEAD), it.abort()), rounds=1)
    assert (aborted.written, aborted.ended) == ([], "aborted")


@pytest.mark.parametrize("rounds", [0, 1])
@given(pieces=st.lists(st.binary(max_size=3) | st.just(bytes(3000)), max_size=8))
def test_what_is_written_arrives_in_order_and_once(rounds, pieces):
    async def main() -> bytes:
        recorder = Recorder()
        gathering = Gathering(recorder)
        for piece in pieces:
            gathering.write(piece)
            if rounds:
                await asyncio.sleep(0)
        await asyncio.sleep(0)
        return b"".join(recorder.written)

    assert asyncio.run(main()) == b"".join(pieces)
