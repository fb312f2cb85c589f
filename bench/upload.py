"""Sends 1,000 files to a platform that takes 50 ms for each, and compares with the ideal.

python bench/upload.py         a table of concurrencies, where mastra-deployer is installed
python bench/upload.py FILE    only the seconds at the default concurrency, into a file
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

FILES, SIZE, LATENCY = 1000, 4096, 0.05
DEFAULT, TIMES = 20, 3
CONCURRENCIES = (1, 5, 10, DEFAULT, 25)
ALLOWED = 1.3  # of the ideal, at the default


def main(arguments: Sequence[str]) -> int:
    with tempfile.TemporaryDirectory() as scratch, _platform() as url:
        directory = Path(scratch)
        for number in range(FILES):
            (directory / f"{number}.bin").write_bytes(number.to_bytes(4, "big") * (SIZE // 4))
        if not arguments:
            return _table(directory, url)
        Path(arguments[0]).write_text(str(_sent(directory, url, DEFAULT)))
        return 0


def _table(directory: Path, url: str) -> int:
    print(f"{FILES} files of {SIZE} bytes, {LATENCY * 1000:.0f} ms each; best of {TIMES}")
    print("at once    ideal   took  times the ideal")
    ratios = {}
    for concurrency in CONCURRENCIES:
        often = 1 if concurrency == 1 else TIMES  # nearly a minute
        took = min(_sent(directory, url, concurrency) for _ in range(often))
        ideal = FILES / concurrency * LATENCY
        ratios[concurrency] = took / ideal
        print(f"{concurrency:7} {ideal:6.2f} s {took:4.2f} s  {took / ideal:.2f}")
    return int(ratios[DEFAULT] > ALLOWED)


def _sent(directory: Path, url: str, concurrency: int) -> float:
    """Seconds that it took, digests not counted."""
    from mastra_core.pipeline import Silent
    from mastra_deployer.kit import Manifest, connect, upload

    manifest = Manifest.of(directory)
    with connect(url) as client:
        began = time.perf_counter()
        upload(
            manifest.files,
            lambda digest: client.put(f"/{digest}", content=manifest.read(digest)),
            report=Silent(),
            size=lambda digest: manifest.size([digest]),
            concurrency=concurrency,
        )
        return time.perf_counter() - began


@contextlib.contextmanager
def _platform() -> Iterator[str]:
    """In a process of its own, so that it takes no time from who sends."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_listen, args=(theirs,))
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        process.terminate()
        process.join()


def _listen(told: Connection) -> None:
    async def run() -> None:
        server = await asyncio.start_server(_answer, "127.0.0.1", 0)
        told.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length or 0))
            await asyncio.sleep(LATENCY)
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
            await writer.drain()
    writer.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
