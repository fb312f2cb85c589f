"""Test the log of a running server: whose lines it has, their fields, and its end."""

import contextlib
import json
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import httpx
import pytest

from tests.server.conftest import LAUNCHED

APP = """
    import logging, os, sys, threading
    import logging as libraries
    from mastra_core import ApiRoute, Mastra, Server, Tool, Workflow, create_logger, step, tool
    from mastra_core.logs import FileTransport

    logger = create_logger("shop", "info", format="json", transports={
        "file": FileTransport("logs/app.log"),
    })
    own = logging.getLogger("app.orders")

    @tool
    def fail(text: str) -> str:
        own.info("in the tool")
        raise ValueError("no such order")

    @step
    def pay(amount: int) -> int:
        own.info("in the step")
        return amount

    async def seller(text: str) -> str:
        own.info("in the agent")
        logging.getLogger("payments").info("library %s", text)
        logging.getLogger("httpx").info("HTTP Request: POST https://a.example")
        logging.getLogger("httpx").warning("odd")
        return text

    def flood(request):
        text = "x" * 200
        for number in range(15_000):
            own.info(text, extra={"number": number})
        return {"logged": 15_000}

    def last(request):
        own.warning("last words")
        return {}

    mastra = Mastra(
        agents={"seller": seller}, tools={"fail": fail},
        workflows={"order": Workflow("order", input=int).then(pay)}, logger=logger,
        server=Server(logs=True, metrics=False, api_routes=[
            ApiRoute(path="/flood", handler=flood), ApiRoute(path="/last", handler=last),
        ]),
    )
"""


def read_lines(server):
    server.reader.join(10)
    return [json.loads(line) for line in server.output if line.startswith("{")]


def test_lines_of_a_server(process):
    server, port = process(APP)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as http:
        send_requests(http)
        check_listed_lines(http)
        assert http.get("/last").status_code == 200
    server.send_signal(signal.SIGTERM)
    assert server.wait(10) == 0
    lines = read_lines(server)
    check_scopes(lines)
    assert [line["msg"] for line in lines][-1] == "last words"
    assert all(line.strip().startswith("{") for line in server.output[1:]), server.output[:5]


def send_requests(http):
    ids = {"x-request-id": "req-1"}
    answer = http.post("/api/agents/seller/generate", json={"messages": "tea"}, headers=ids)
    assert answer.status_code == 200, answer.text
    http.post(
        "/api/tools/fail/execute", json={"data": {"text": "x"}}, headers={"x-request-id": "req-2"}
    )
    answer = http.post(
        "/api/workflows/order/start-async?runId=run-7",
        json={"inputData": 3},
        headers={"x-request-id": "req-3"},
    )
    assert answer.json()["status"] == "success", answer.text


def check_listed_lines(http):
    assert http.get("/api/logs/transports").json() == {"transports": ["memory", "file"]}
    for transport in ("memory", "file"):
        until = time.monotonic() + 5
        while True:
            page = http.get("/api/logs/run-7", params={"transportId": transport}).json()
            if page["logs"] or time.monotonic() > until:
                break
        assert [line["msg"] for line in page["logs"]] == ["in the step"]
        found = http.get("/api/logs", params={"transportId": transport, "logLevel": "error"}).json()
        assert "Traceback" not in str(found) and found["total"] == 1


def check_scopes(lines):
    found = {line["msg"]: line for line in lines}
    agent = found["in the agent"]
    assert (agent["request_id"], agent["agent"], agent["name"]) == ("req-1", "seller", "app.orders")
    assert agent["run_id"]
    library = found["library tea"]
    assert (library["level"], library["run_id"]) == ("info", agent["run_id"])
    assert "odd" in found and not any("HTTP Request" in message for message in found)
    work = found["in the step"]
    assert (work["workflow"], work["step"], work["run_id"]) == ("order", "pay", "run-7")
    assert work["request_id"] == "req-3"
    assert (found["in the tool"]["tool"], found["in the tool"]["request_id"]) == ("fail", "req-2")
    failures = [line for line in lines if line["level"] == "error"]
    assert len(failures) == 1, "a failing tool is one line"
    assert failures[0]["request_id"] == "req-2"
    assert "in fail" in failures[0]["error"] and "no such order" in failures[0]["error"]


FLOOD = """
    import logging
    from mastra_core import ApiRoute, Mastra, Server

    own = logging.getLogger("app.orders")

    def flood(request):
        text = "x" * 200
        for number in range(15_000):
            own.info(text, extra={"number": number})
        return {"logged": 15_000}

    mastra = Mastra(server=Server(metrics=True, api_routes=[ApiRoute(path="/flood", handler=flood)]))
"""


def read_memory(pid):
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0]) // 1024


@pytest.mark.skipif(not Path("/proc").exists(), reason="reads /proc")
def test_a_flood_and_a_reader_that_stops_reading(tmp_path):
    """No request waits, memory is bounded, lost lines are counted, and the server stops."""
    with serve_unread(tmp_path, FLOOD) as (server, http):
        assert http.get("/flood").status_code == 200
        before = read_memory(server.pid)
        for _ in range(2):
            assert http.get("/flood").status_code == 200
        assert http.get("/health").status_code == 200
        assert read_memory(server.pid) - before < 20
        samples = [line.rpartition(" ") for line in http.get("/metrics").text.splitlines()]
        lost = {name: float(value) for name, _, value in samples if name.startswith("mastra_log")}
        assert lost['mastra_log_lines_lost_total{transport="stream"}'] > 10_000
        server.send_signal(signal.SIGTERM)
        assert server.wait(10) == 0


@contextlib.contextmanager
def serve_unread(directory, source):
    """Serve an application whose standard error nobody reads after the first line."""
    (directory / "app.py").write_text(textwrap.dedent(source))
    server = subprocess.Popen(
        [sys.executable, "-c", LAUNCHED], cwd=directory, stderr=subprocess.PIPE, text=True
    )
    try:
        port = int(server.stderr.readline().rpartition(":")[2])
        url = f"http://127.0.0.1:{port}"
        with httpx.Client(base_url=url, trust_env=False, timeout=30) as http:
            yield server, http
    finally:
        server.kill()
        server.wait()
        server.stderr.close()
