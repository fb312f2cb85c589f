"""Test that a failed startup is reported by its message alone."""

import json
import os
import subprocess
import sys

import httpx
import pytest

from mastra_core import Mastra, Memory, SqliteStorage

SERVE = """
import uvicorn
from mastra_core import Mastra, Memory
from mastra_server import create_app

mastra = Mastra(memory=Memory(), storage="sqlite:////nowhere/app.db", logger=False)
uvicorn.run(create_app(mastra), host="127.0.0.1", port=0)
"""


def test_unusable_storage_fails_the_startup():
    done = subprocess.run(
        [sys.executable, "-c", SERVE], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 3
    assert "'/nowhere/app.db' cannot be opened.\nCreate the directory of the file" in done.stderr
    assert "Traceback" not in done.stderr


HIDDEN = """
import sys
sys.modules["opentelemetry.sdk"] = None
import uvicorn
from mastra_core import Mastra, Telemetry
from mastra_server import create_app

uvicorn.run(create_app(Mastra({settings}, logger=False)), host="127.0.0.1", port=0)
"""


@pytest.mark.parametrize("settings", ['server={"traces": True}', "telemetry=Telemetry()"])
def test_traces_without_opentelemetry_fail_the_startup(settings):
    script = HIDDEN.format(settings=settings)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 3
    assert "needs 'opentelemetry.sdk" in done.stderr
    assert "which is not installed.\nInstall the extra: pip install" in done.stderr
    assert "Traceback" not in done.stderr


def test_metrics_without_opentelemetry_fail_the_startup():
    done = subprocess.run(
        [sys.executable, "-c", HIDDEN.format(settings="").replace("Mastra(,", "Mastra(")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "OTEL_METRICS_EXPORTER": "otlp"},
    )
    assert done.returncode == 3
    assert "Exporting metrics needs 'opentelemetry.sdk" in done.stderr
    assert "Traceback" not in done.stderr


FROZEN = """
    import gc, json
    from mastra_core import Mastra

    async def frozen(text: str) -> str:
        return json.dumps([gc.get_freeze_count(), gc.isenabled(), gc.get_threshold()])

    mastra = Mastra(agents={"frozen": frozen}, logger=False)
"""


@pytest.mark.parametrize(
    ("settings", "threshold"), [("", 10_000), ("    gc.set_threshold(500)", 500)]
)
def test_imported_objects_are_left_out_of_garbage_collection(process, settings, threshold):
    _, port = process(FROZEN + settings)
    path = f"http://127.0.0.1:{port}/api/agents/frozen/generate"
    answer = httpx.post(path, json={"messages": "x"}, trust_env=False)
    count, enabled, thresholds = json.loads(answer.json()["text"])
    assert count > 10_000
    assert enabled
    assert thresholds[0] == threshold


def test_threads_survive_a_restart(serve, tmp_path):
    async def echo(text: str) -> str:
        return text

    def application():
        storage = SqliteStorage(tmp_path / "app.db")
        return Mastra(agents={"echo": echo}, memory=Memory(), storage=storage, logger=False)

    body = {"messages": "hi", "memory": {"thread": "t1", "resource": "ann"}}
    for _ in range(2):
        with serve(application()) as server:
            assert server.http.post("/api/agents/echo/generate", json=body).json()["text"] == "hi"
    body["memory"]["resource"] = "bob"
    with serve(application()) as server:
        answer = server.http.post("/api/agents/echo/generate", json=body)
        assert answer.status_code == 403
        assert "belongs to another resource" in answer.json()["error"]
    assert (tmp_path / "app.db").stat().st_size
    assert not (tmp_path / "app.db-wal").exists(), "the file was let go of"
