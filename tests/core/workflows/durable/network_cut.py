"""Processes and a PostgreSQL server in networks of their own, whose links are cut and restored.

The script runs in a network namespace of its own (`unshare --net`), with the client and the second
worker. It makes one namespace for the server, and one for the first worker. The arguments are a
directory and the seconds of each cut. It prints what happened as JSON.
"""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from mastra_core.errors import StorageError
from mastra_core.workflows.durable import DurableEngine
from tests.core.workflows.durable.worker import ORDER, SHORT
from tests.core.workflows.durable.worker_processes import Workers
from tests.postgres import run_postgres


def run(*command):
    subprocess.run(command, check=True)


class Namespace:
    """A network namespace, which a process keeps open."""

    def __init__(self):
        self._keeper = subprocess.Popen(
            ["unshare", "--net", sys.executable, "-c", "print(flush=True); input()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._keeper.stdout.readline()
        self.id = str(self._keeper.pid)
        self.prefix = ("nsenter", "--net", "--target", self.id)
        run(*self.prefix, "ip", "link", "set", "lo", "up")

    def close(self):
        self._keeper.communicate(b"\n")


class Link:
    """A cable between the server and another namespace.

    :param name: the name of its ends.
    :param subnet: the first three numbers of its addresses; the server is number 1.
    :param server: the namespace of the server.
    :param other: the other namespace; the present one by default.
    """

    def __init__(self, name, subnet, server, other=None):
        self._end = (*server.prefix, "ip", "link", "set", name)
        target = str(os.getpid()) if other is None else other.id
        run("ip", "link", "add", name, "netns", server.id, "type", "veth", "peer", name, "netns",
            target)  # fmt: skip
        for number, prefix in ((1, server.prefix), (2, () if other is None else other.prefix)):
            run(*prefix, "ip", "address", "add", f"{subnet}.{number}/24", "dev", name)
            run(*prefix, "ip", "link", "set", name, "up")

    def cut(self):
        run(*self._end, "down")

    def restore(self):
        run(*self._end, "up")


async def wait_for(condition, seconds=60):
    """Wait until a condition is true; return the seconds."""
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < seconds, "the condition did not become true in time"
        await asyncio.sleep(0.05)
    return time.monotonic() - start


async def start_runs(engine, workflow, values):
    runs = [await engine.create(workflow) for _ in values]
    for run_, value in zip(runs, values, strict=True):
        await engine.start(run_, value)
    return runs


async def wait_for_results(runs):
    records = await asyncio.wait_for(asyncio.gather(*(each.wait() for each in runs)), 60)
    return [record.result for record in records]


async def cut_one_worker(engine, workers, link, duration):
    """Cut the link of the first worker while it executes runs; then let it execute others."""
    runs = await start_runs(engine, SHORT, range(6))
    await wait_for(lambda: workers.count_effects("wait_shortly") == 6)
    start = time.monotonic()
    link.cut()
    results = await wait_for_results(runs)
    seconds = time.monotonic() - start
    await asyncio.sleep(max(0, start + duration - time.monotonic()))
    link.restore()
    workers.kill(workers.processes[1])
    again = await wait_for_results(await start_runs(engine, SHORT, range(6)))
    return {"results": results, "seconds": seconds, "again": again}


async def measure_refusal(engine):
    """Return the error of a call and the seconds until it was raised; None without an error."""
    start = time.monotonic()
    try:
        await engine.create(SHORT)
    except StorageError as error:
        return str(error), time.monotonic() - start
    return None


async def cut_everything(engine, workers, links, duration):
    """Cut all links while runs are executed and others are suspended."""
    suspended = await start_runs(engine, ORDER, range(6))
    await asyncio.gather(*(each.wait() for each in suspended))
    executed = await start_runs(engine, SHORT, range(6))
    await wait_for(lambda: workers.count_effects("wait_shortly") >= 18)
    for link in links:
        link.cut()
    start = time.monotonic()
    call = asyncio.create_task(measure_refusal(engine))
    await asyncio.sleep(duration)
    for link in links:
        link.restore()
    refusal = await call
    results = await wait_for_results(executed)
    for each in suspended:
        await engine.resume(each, 7)
    resumed = await wait_for_results(suspended)
    seconds = time.monotonic() - start - duration
    return {"results": results, "resumed": resumed, "refusal": refusal, "seconds": seconds}


async def run_scenario(url, workers, far, links, duration):
    workers.effects_file.touch()
    engine = DurableEngine(workers.url, name="client", max_concurrency=0)
    try:
        workers.start("cut", url=url, prefix=far.prefix)
        workers.start("near")
        one = await cut_one_worker(engine, workers, links[0], duration)
        workers.start("near again")
        everything = await cut_everything(engine, workers, links, duration)
        alive = [process.poll() is None for process in workers.processes]
        return {"one": one, "all": everything, "alive": alive}
    finally:
        with contextlib.suppress(StorageError):
            await engine.close()
        workers.stop()


def main(directory, duration):
    run("ip", "link", "set", "lo", "up")
    place, far = Namespace(), Namespace()
    links = [Link("far", "10.77.1", place, far), Link("near", "10.77.2", place)]
    try:
        with run_postgres(
            address="10.77.2.1", others=("10.77.1.1",), prefix=place.prefix
        ) as server:
            near_url = server.create_database()
            url = near_url.replace("10.77.2.1", "10.77.1.1")
            workers = Workers(near_url, Path(directory) / "effects")
            scenario = run_scenario(url, workers, far, links, float(duration))
            print(json.dumps(asyncio.run(scenario)))
    finally:
        place.close()
        far.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
