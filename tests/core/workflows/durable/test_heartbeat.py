"""The thread that reports that a process lives."""

import asyncio
import subprocess
import sys
import threading

from mastra_core.workflows.durable import Member, SqliteRunStore
from mastra_core.workflows.durable.heartbeat import Heartbeat

WITHOUT_FILES = """
import os, resource, sys
from mastra_core.workflows.durable import Member, SqliteRunStore
from mastra_core.workflows.durable.heartbeat import Heartbeat

heartbeat = Heartbeat(SqliteRunStore(sys.argv[1]), Member(id="a", name="a"), 1)
used = max(map(int, os.listdir("/proc/self/fd"))) + 1
resource.setrlimit(resource.RLIMIT_NOFILE, (used, used))
while True:
    try:
        os.dup(0)
    except OSError:
        break
heartbeat.start()
heartbeat.stop()
print("stopped")
"""


def test_thread_without_an_event_loop_can_be_stopped(tmp_path):
    """A process that may open no more files cannot create an event loop."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_FILES, tmp_path / "runs.db"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "stopped\n", done.stderr
    assert "Too many open files" in done.stderr


class DamagedStore(SqliteRunStore):
    """A store whose first report fails with an error that nobody expects."""

    def __init__(self, path):
        super().__init__(path)
        self.reports, self.has_reported = 0, threading.Event()

    async def beat(self, member, lease):
        self.reports += 1
        if self.reports == 1:
            raise ValueError("unexpected")
        await super().beat(member, lease)
        self.has_reported.set()


def test_reports_go_on_after_an_unexpected_error(tmp_path):
    store = DamagedStore(tmp_path / "runs.db")
    heartbeat = Heartbeat(store, Member(id="a", name="a"), 0.05)
    heartbeat.start()
    assert store.has_reported.wait(10)
    heartbeat.stop()


class SilentStore(SqliteRunStore):
    """A store that answers no report before the end of the test."""

    def __init__(self, path):
        super().__init__(path)
        self.is_asked, self.answers = threading.Event(), threading.Event()

    async def beat(self, member, lease):
        self.is_asked.set()
        await asyncio.to_thread(self.answers.wait)


def test_a_process_stops_although_its_report_is_not_answered(tmp_path):
    store = SilentStore(tmp_path / "runs.db")
    heartbeat = Heartbeat(store, Member(id="a", name="a"), 1)
    heartbeat.start()
    assert store.is_asked.wait(10)
    stopping = threading.Thread(target=heartbeat.stop, daemon=True)
    stopping.start()
    stopping.join(30)
    assert not stopping.is_alive()
    store.answers.set()  # so that the thread ends: other tests wait for all threads of this name
