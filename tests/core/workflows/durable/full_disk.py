"""A process whose disk becomes full while it executes a durable run; prints what happened as JSON.

The first argument is a directory. The second one says what is full: "file" is an SQLite file whose
size the operating system limits, "disk" is an SQLite file on a small file system, and "server" is a
PostgreSQL server with its tables on a small file system. The process mounts the file system itself,
in a namespace that `unshare --mount` makes.
"""

import asyncio
import contextlib
import json
import logging
import resource
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

from mastra_core import DurableEngine, Workflow, step
from mastra_core.errors import StorageError
from tests.core.workflows.sample_steps import wait_until
from tests.postgres import run_postgres

calls = []
filled, freed = asyncio.Event(), asyncio.Event()


class SmallDisk:
    """A small file system."""

    def __init__(self, path):
        self._filler = path / "filler"

    def fill(self):
        with self._filler.open("wb", buffering=0) as file:
            for size in (65536, 4096, 1):
                try:
                    while file.write(b"x" * size):
                        pass
                except OSError:
                    continue

    def free(self):
        self._filler.unlink()


class FileSizeLimit:
    """The limit for the size of files; writes beyond it fail."""

    def __init__(self):
        self._limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(self):
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, self._limits[1]))

    def free(self):
        resource.setrlimit(resource.RLIMIT_FSIZE, self._limits)


@step
async def prepare(n: int) -> int:
    calls.append("prepare")
    return n + 1


@step
async def work(n: int) -> dict:
    calls.append("work")
    filled.set()
    await freed.wait()
    return {"n": n, "text": secrets.token_hex(10_000)}  # no database compresses it


@step
async def finish(value: dict) -> int:
    calls.append("finish")
    return value["n"] + 1


async def run_scenario(url, disk):
    logging.getLogger("mastra.workflows").addHandler(handler := Handler())
    workflow = Workflow("w").then(prepare).then(work).then(finish)
    engine = DurableEngine(url)
    run = await engine.create(workflow)
    await engine.start(run, 1)
    await filled.wait()
    disk.fill()
    refusals = []
    while not refusals:  # a page of the log may still be free
        try:
            await engine.create(workflow)
        except StorageError as error:
            refusals.append(str(error))
    freed.set()
    await wait_until(lambda: any("waits for its database" in text for text in handler.texts))
    before = [*calls], run.record.status
    disk.free()
    record = await asyncio.wait_for(run.wait(), 10)
    again = await engine.create(workflow)
    await engine.start(again, 5)
    result = (await asyncio.wait_for(again.wait(), 10)).result
    await engine.close()
    return {
        "before": before,
        "calls": calls,
        "refusal": refusals[0],
        "results": [record.result, result],
    }


@contextlib.contextmanager
def open_database(directory, kind):
    """Yield the URL of a database, and the directory of its tables."""
    if kind == "server":
        with run_postgres() as server:
            yield create_small_database(server), server.directory / "small"
        return
    if kind == "disk":
        mount_disk(directory, "1m")
    yield f"sqlite:///{directory}/runs.db", directory


def create_small_database(server):
    small = server.directory / "small"
    mount_disk(small, "12m")
    tables = small / "tables"
    tables.mkdir()
    shutil.chown(tables, (server.directory / "data").owner())
    server.execute(f"CREATE TABLESPACE small LOCATION '{tables}'")
    server.execute("CREATE DATABASE small TABLESPACE small")
    return server.get_url("small")


def mount_disk(path, size):
    path.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", path], check=True)


class Handler(logging.Handler):
    """Keeps the lines of the log."""

    def __init__(self):
        super().__init__()
        self.texts = []

    def emit(self, record):
        self.texts.append(record.getMessage())


def main(directory, kind):
    with open_database(directory, kind) as (url, place):
        disk = FileSizeLimit() if kind == "file" else SmallDisk(place)
        print(json.dumps(asyncio.run(run_scenario(url, disk))))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
