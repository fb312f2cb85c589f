"""``/ready`` tells load balancers whether the databases of the application answer."""

import contextlib
import os
import signal
import subprocess
import time

import pytest

from mastra_core import DurableEngine, Mastra, MemoryStorage
from mastra_core.errors import StorageError

NOT_READY = {"ready": False, "reason": "database"}


def wait_for_answer(server, status):
    """Request ``/ready`` until it answers with a status; return the last answer."""
    deadline = time.monotonic() + 30
    while (answer := server.http.get("/ready")).status_code != status:
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.1)
    return answer.json()


@contextlib.contextmanager
def stop_server(postgres):
    postgres.stop()
    try:
        yield
    finally:
        postgres.start()


@contextlib.contextmanager
def freeze_server(postgres):
    """Stop the processes of a server, so that its connections stay open and nothing answers."""
    main = postgres.process.pid
    os.kill(main, signal.SIGSTOP)  # first, so that it starts no other process
    command = ["pgrep", "-P", str(main)]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    processes = [main, *map(int, found.split())]
    send_signal(processes, signal.SIGSTOP)
    try:
        yield
    finally:
        send_signal(processes, signal.SIGCONT)


def send_signal(processes, number):
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, number)


@pytest.mark.parametrize("setting", ["storage", "engine"])
@pytest.mark.parametrize("interrupt", [stop_server, freeze_server])
def test_a_server_without_its_database_is_not_ready(serve, postgres_server, setting, interrupt):
    url = postgres_server.create_database()
    value = url if setting == "storage" else DurableEngine(url)
    with serve(Mastra(**{setting: value})) as server:
        assert server.http.get("/ready").status_code == 200
        with interrupt(postgres_server):
            answer = wait_for_answer(server, 503)
            answer.pop("runs", None)
            assert answer == NOT_READY
            assert server.http.get("/health").status_code == 200
        assert wait_for_answer(server, 200)["ready"] is True


@pytest.mark.parametrize("setting", ["storage", "engine"])
def test_a_server_whose_file_was_deleted_is_not_ready(serve, tmp_path, setting):
    path, aside = tmp_path / "app.db", tmp_path / "aside.db"
    url = f"sqlite:///{path}"
    value = url if setting == "storage" else DurableEngine(url)
    with serve(Mastra(**{setting: value})) as server:
        assert server.http.get("/ready").status_code == 200
        path.rename(aside)
        assert wait_for_answer(server, 503)["reason"] == "database"
        aside.rename(path)
        assert wait_for_answer(server, 200)["ready"] is True


class FailingStorage(MemoryStorage):
    """Counts its checks, which fail."""

    checks = 0

    async def check(self):
        self.checks += 1
        raise StorageError("The storage is away.", "Bring it back.")


def test_the_requests_of_a_second_share_one_check(serve, capfd):
    storage = FailingStorage()
    with serve(Mastra(storage=storage)) as server:
        begun = time.monotonic()
        answers = [server.http.get("/ready").status_code for _ in range(20)]
        seconds = time.monotonic() - begun
    assert answers == [503] * 20
    assert 1 <= storage.checks <= 1 + seconds
    lines = [line for line in capfd.readouterr().err.splitlines() if "not ready" in line]
    assert len(lines) == 1
    assert "The storage is away." in lines[0]
