"""Runs, their readers and their threads, while servers are killed, stopped and cut off."""

import contextlib
import json
import random
import re
import signal
import threading
import time

import httpx
import pytest

from tests.server.agents.durable.conftest import read_chunks

pytestmark = [pytest.mark.full, pytest.mark.slow]
CLERK = "/agents/clerk"
SCRIPT = json.dumps([["note"], ["pay"], "one two three four five"])
TIMES = re.compile(r'"(startedAt|timestamp)":("[^"]*"|\d+)')  # of the reading server
SECONDS = 120


def list_servers(servers):
    """Return the servers that run, without one that is being started."""
    return [each for each in servers.processes if each.poll() is None and hasattr(each, "http")]


class Client(threading.Thread):
    """Starts a run, decides it, and reads it with many connections to all servers."""

    def __init__(self, servers, number):
        super().__init__(daemon=True)
        self.run_id, self.frames, self.failure = f"trouble-{number}", [], ""
        self._servers, self._random = servers, random.Random(number)
        self._end = time.monotonic() + SECONDS
        self._memory = {"thread": f"trouble-{number % 3}", "resource": "ann"}
        self.start()

    def run(self):
        try:
            self._read_until("tool-call-approval")
            call = json.loads(self.frames[-1])["payload"]["toolCallId"]
            self._decide({"runId": self.run_id, "toolCallId": call, "resourceId": "ann"})
            self._read_until("finish")
        except Exception as error:  # the test reports it
            self.failure = f"{self.run_id}: {error!r}"

    def _open(self, path, body, headers=None):
        assert time.monotonic() < self._end, f"{len(self.frames)} frames: {self.frames[-1:]}"
        url = f"{self._random.choice(list_servers(self._servers)).http.base_url}{path.removeprefix('/')}"
        return httpx.stream("POST", url, json=body, headers=headers, timeout=5, trust_env=False)

    def _read_until(self, kind):
        while not (self.frames and json.loads(self.frames[-1])["type"] == kind):
            with contextlib.suppress(httpx.HTTPError):
                self._read_part()
            time.sleep(self._random.uniform(0, 0.1))

    def _read_part(self):
        """Read for a moment, and keep the frames whose number has arrived."""
        last = {"Last-Event-ID": f"{self.run_id}/{len(self.frames)}"}
        body = {"runId": self.run_id, "resourceId": "ann"}
        leave = time.monotonic() + self._random.choice([0.05, 0.3, 5])
        with self._open(f"{CLERK}/observe", body, last) as answer:
            if answer.status_code == 404:
                self._start_run()
                return
            text = ""
            for part in answer.iter_text():
                text += part
                if time.monotonic() > leave:
                    break
        for data, number in re.findall(r"((?:data: \{.*\n\n)+)id: .*/(\d+)\n\n", text):
            self.frames += [line[6:] for line in data.splitlines() if line]
            assert len(self.frames) == int(number)

    def _start_run(self):
        assert not self.frames
        body = {"messages": SCRIPT, "runId": self.run_id, "memory": self._memory}
        with self._open(f"{CLERK}/stream", body) as answer:
            assert answer.status_code in (200, 409, 500)

    def _decide(self, body):
        while True:
            with (
                contextlib.suppress(httpx.HTTPError),
                self._open(f"{CLERK}/approve-tool-call", body) as answer,
            ):
                text = answer.read().decode()
                if answer.status_code in (404, 409) or (answer.is_success and "error" not in text):
                    return  # an earlier try may have been stored


def make_trouble(servers, stop, cut):
    """Kill servers, stop them for longer than their lease, and end sessions of the database."""
    generator = random.Random(1)
    while not stop.wait(generator.uniform(0.2, 1)):
        victim, kind = (
            generator.choice(list_servers(servers)),
            generator.choice(["kill", "stop", "cut"]),
        )
        if kind == "kill":
            servers.kill(victim)
            servers.start()
        elif kind == "stop":
            victim.send_signal(signal.SIGSTOP)
            time.sleep(2.5)
            victim.send_signal(signal.SIGCONT)
        else:
            cut()


@pytest.fixture
def cut(request, servers):
    """A function that ends all sessions of the database."""
    if not servers.database.startswith("postgresql"):
        return lambda: None
    name = servers.database.rpartition("/")[2]
    sql = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    server = request.getfixturevalue("postgres_server")
    return lambda: server.execute(sql)


def read_all(server, run_id):
    body = {"runId": run_id, "resourceId": "ann"}
    text = server.http.post(f"{CLERK}/observe", json=body, timeout=30).text
    return [TIMES.sub("", json.dumps(each, separators=(",", ":"))) for each in read_chunks(text)]


def test_nothing_is_lost_in_many_troubles(servers, cut):
    while len(list_servers(servers)) < 2:
        servers.start()
    stop = threading.Event()
    trouble = threading.Thread(target=make_trouble, args=(servers, stop, cut), daemon=True)
    trouble.start()
    clients = [Client(servers, number) for number in range(24)]
    for client in clients:
        client.join(SECONDS + 30)
    stop.set()
    trouble.join(30)
    assert [client.failure for client in clients if client.failure] == []
    server = servers.start()
    for client in clients:
        frames = [
            TIMES.sub("", json.dumps(json.loads(each), separators=(",", ":")))
            for each in client.frames
        ]
        assert frames == read_all(server, client.run_id)
    for thread in range(3):
        path = f"/memory/threads/trouble-{thread}/messages?agentId=clerk&perPage=false"
        messages = server.http.get(path).json()["messages"]
        assert [each["role"] for each in messages].count("user") == 8
        assert [each["role"] for each in messages].count("assistant") == 8
