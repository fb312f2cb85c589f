"""Writes of one turn of the event loop are joined; their order and the end of the data stay."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from mastra_server.http.buffered_transport import BufferedTransport


class RecordingTransport(asyncio.Transport):
    """A transport that records each write, and has received everything that was written."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[bytes | str] = []

    def write(self, data: bytes) -> None:  # type: ignore[override]  # only bytes are written here
        self.calls.append(data)

    def close(self) -> None:
        self.calls.append("close")

    def abort(self) -> None:
        self.calls.append("abort")

    def is_closing(self) -> bool:
        return "close" in self.calls

    def get_write_buffer_size(self) -> int:
        return 0


def run_in_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    return lambda: asyncio.run(test())


def build_transport() -> tuple[RecordingTransport, BufferedTransport]:
    recorder = RecordingTransport()
    return recorder, BufferedTransport(recorder, asyncio.get_running_loop())


@run_in_loop
async def test_writes_of_one_turn_are_joined() -> None:
    recorder, transport = build_transport()
    for data in (b"head", b"first", b"second"):
        transport.write(data)
    assert recorder.calls == []
    assert transport.get_write_buffer_size() == 15
    await asyncio.sleep(0)
    assert recorder.calls == [b"headfirstsecond"]
    assert transport.get_write_buffer_size() == 0


@run_in_loop
async def test_data_of_a_later_turn_is_written_alone() -> None:
    recorder, transport = build_transport()
    for data in (b"first", b"second"):
        transport.write(data)
        await asyncio.sleep(0)
    assert recorder.calls == [b"first", b"second"]


@run_in_loop
async def test_a_flush_writes_at_once_and_only_once() -> None:
    recorder, transport = build_transport()
    transport.write(b"response")
    transport.flush()
    assert recorder.calls == [b"response"]
    await asyncio.sleep(0)
    assert recorder.calls == [b"response"]


@run_in_loop
async def test_large_data_is_written_unchanged_after_earlier_data() -> None:
    recorder, transport = build_transport()
    large = bytes(40_000)
    transport.write(b"head")
    transport.write(large)
    assert recorder.calls == [b"head", large]
    transport.write(large)
    assert recorder.calls[2] is large
    transport.write(b"tail")
    await asyncio.sleep(0)
    assert recorder.calls[3:] == [b"tail"]


@run_in_loop
async def test_many_small_writes_take_limited_memory() -> None:
    recorder, transport = build_transport()
    for _ in range(1_000):
        transport.write(bytes(1_000))
        assert transport.get_write_buffer_size() <= 32 * 1024
    await asyncio.sleep(0)
    assert b"".join(map(bytes, recorder.calls)) == bytes(1_000_000)


@run_in_loop
async def test_close_writes_the_data_first() -> None:
    recorder, transport = build_transport()
    transport.write(b"last")
    transport.close()
    await asyncio.sleep(0)
    assert recorder.calls == [b"last", "close"]
    assert transport.is_closing()


@run_in_loop
async def test_abort_drops_the_data() -> None:
    recorder, transport = build_transport()
    transport.write(b"dropped")
    transport.abort()
    await asyncio.sleep(0)
    assert recorder.calls == ["abort"]


@run_in_loop
async def test_nothing_is_written_after_a_disconnect() -> None:
    recorder, transport = build_transport()
    transport.write(b"dropped")
    recorder.close()
    await asyncio.sleep(0)
    assert recorder.calls == ["close"]
