"""Upload 1,000 files to a platform that takes 50 ms for each, and compare with the ideal.

python bench/upload.py            a table of concurrencies; needs mastra-deployer
python bench/upload.py --quick    the same with 100 files, once each
python bench/upload.py --once     only the default concurrency, once
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

from options import create_parser, write_json

FILES, QUICK_FILES, SIZE, LATENCY = 1000, 100, 4096, 0.05
DEFAULT, ROUNDS = 20, 3
CONCURRENCIES = (1, 5, 10, DEFAULT, 25)
AIM = 1.3  # times the ideal, at the default concurrency


def main(arguments: Sequence[str]) -> int:
    parser = create_parser(
        "Upload files to a slow platform.", quick=f"{QUICK_FILES} files, once each"
    )
    parser.add_argument("--once", action="store_true", help="only the default concurrency, once")
    options = parser.parse_args(arguments)
    count = QUICK_FILES if options.quick else FILES
    with tempfile.TemporaryDirectory() as scratch, _run_platform() as url:
        directory = Path(scratch)
        for number in range(count):
            (directory / f"{number}.bin").write_bytes(number.to_bytes(4, "big") * (SIZE // 4))
        if options.once:
            seconds = _upload(directory, url, DEFAULT)
            print(f"{seconds:.2f} s, ideally {count / DEFAULT * LATENCY:.2f} s")
            write_json(options.json, {"seconds": seconds})
            return 0
        ratios = _measure_all(directory, url, count, rounds=1 if options.quick else ROUNDS)
        write_json(options.json, {str(concurrency): ratio for concurrency, ratio in ratios.items()})
    return int(ratios[DEFAULT] > AIM and not options.quick)


def _measure_all(directory: Path, url: str, count: int, rounds: int) -> dict[int, float]:
    """Print a line for each concurrency, and return its time as a multiple of the ideal."""
    print(f"{count} files of {SIZE} bytes, {LATENCY * 1000:.0f} ms each; best of {rounds}")
    print("at once    ideal   took  times the ideal")
    ratios = {}
    for concurrency in CONCURRENCIES:
        often = 1 if concurrency == 1 else rounds  # one round takes nearly a minute
        seconds = min(_upload(directory, url, concurrency) for _ in range(often))
        ideal = count / concurrency * LATENCY
        ratios[concurrency] = seconds / ideal
        print(f"{concurrency:7} {ideal:6.2f} s {seconds:4.2f} s  {seconds / ideal:.2f}")
    return ratios


def _upload(directory: Path, url: str, concurrency: int) -> float:
    """Upload the directory and return the seconds, without those for the digests."""
    from mastra_core.pipeline import SilentReport
    from mastra_deployer.kit import FileManifest, connect, upload

    manifest = FileManifest.from_directory(directory)
    with connect(url) as client:
        start = time.perf_counter()
        upload(
            manifest.files,
            lambda digest: client.put(f"/{digest}", content=manifest.read(digest)),
            report=SilentReport(),
            size=lambda digest: manifest.get_size([digest]),
            concurrency=concurrency,
        )
        return time.perf_counter() - start


@contextlib.contextmanager
def _run_platform() -> Iterator[str]:
    """Run the platform in another process, so that it takes no processor time of the upload."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe()
    process = context.Process(target=_serve_platform, args=(sender,))
    process.start()
    try:
        yield f"http://127.0.0.1:{receiver.recv()}"
    finally:
        process.terminate()
        process.join()


def _serve_platform(sender: Connection) -> None:
    async def serve() -> None:
        server = await asyncio.start_server(_handle, "127.0.0.1", 0)
        sender.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())


async def _handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer every request of a connection after the latency."""
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
