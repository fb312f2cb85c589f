"""One caller at each bound: it gets a 429, and another caller is served."""

import contextlib
import socket
import threading
import time

import httpx
import pytest

from mastra_core import Memory, MemoryEngine, MemoryStorage
from mastra_core.agents import MemorySuspendedRuns
from mastra_core.limits.shares import Shares
from mastra_server import create_app
from mastra_server.agents import live_runs
from mastra_server.http import callers, responses
from mastra_server.middleware import limits
from mastra_server.openai import response_store
from tests.server.conftest import run_server
from tests.server.sample_app import create_sample

ANN, BOB = ({"x-forwarded-for": address} for address in ("192.0.2.1", "192.0.2.2"))
APPROVE = "/api/workflows/approveWorkflow"
TOPIC = {"inputData": {"topic": "x"}}


@contextlib.contextmanager
def serve(**settings):
    app = create_app(create_sample(**settings))
    with run_server(app, forwarded_allow_ips="127.0.0.1") as server:
        yield server


def send_until_refused(send, maximum):
    """Send requests until one is refused; return the number of those that were not."""
    for number in range(maximum):
        response = send()
        if response.status_code == 429:
            assert response.json()["error"]
            return number
        assert response.status_code == 200, response.text
    raise AssertionError(f"none of {maximum} requests was refused")


def test_addresses():
    def read(host):
        return callers.read_client_address({"client": (host, 1)})

    assert read("192.0.2.1") == "address:192.0.2.1"
    assert read("2001:db8::1") == read("2001:db8::ffff:2") == "address:2001:db8::/64"
    assert read("2001:db8:0:1::1") != read("2001:db8::1")
    assert read("fe80::1%eth0") == "address:fe80::/64"
    assert read("::ffff:192.0.2.1") == read("::ffff:c000:201") == "address:192.0.2.1"
    for text in ("unknown", "a:b:c", ":::::"):  # a proxy may report anything
        assert read(text) == f"address:{text}"
    assert callers.read_client_address({"client": None}) == "address:"


def test_resource_of_auth_is_the_caller_at_every_address():
    scope = {"client": ("192.0.2.1", 1), "mastra_context": {"mastra__resourceId": "ann"}}
    assert callers.identify_caller(scope) == "resource:ann"
    assert callers.identify_caller({**scope, "mastra_context": {}}) == "address:192.0.2.1"


def test_abandoned_streams(monkeypatch):
    monkeypatch.setattr(live_runs, "MAX_RUNNING", 8)
    with serve() as server:

        def abandon(headers):
            url, body = "/api/agents/slowAgent/stream", {"messages": "x"}
            with server.http.stream("POST", url, json=body, headers=headers) as response:
                if response.status_code == 429:
                    response.read()
                return response

        assert send_until_refused(lambda: abandon(ANN), 20) == 4
        assert abandon(BOB).status_code == 200
        assert abandon(ANN).status_code == 429


def test_streams_of_the_responses_api(monkeypatch):
    monkeypatch.setattr(live_runs, "MAX_RUNNING", 8)
    with serve() as server, contextlib.ExitStack() as stack:

        def stream(headers):
            body = {"model": "slowAgent", "input": "x", "stream": True}
            request = server.http.stream("POST", "/api/v1/responses", json=body, headers=headers)
            response = stack.enter_context(request)
            if response.status_code == 429:
                response.read()
            return response

        assert send_until_refused(lambda: stream(ANN), 20) == 4
        url, body = "/api/agents/slowAgent/stream", {"messages": "x"}
        assert server.http.post(url, json=body, headers=ANN).status_code == 429
        assert stream(BOB).status_code == 200
        stack.close()  # the runs end, and their places become free
        assert any(stream(ANN).status_code == 200 or time.sleep(0.1) for _ in range(50))


LARGE = "x" * 1_000_000
INPUTS = {
    "messages": {"messages": LARGE},
    "instructions": {"instructions": LARGE},
    "system": {"system": LARGE},
    "requestContext": {"requestContext": {"text": LARGE}},
    "structuredOutput": {"structuredOutput": {"schema": {"description": LARGE}}},
    "fallbackValue": {"structuredOutput": {"errorStrategy": "fallback", "fallbackValue": LARGE}},
    "clientTools": {"clientTools": {"a": {"description": LARGE}}},
    "thread": {"memory": {"thread": {"id": "t", "title": LARGE}, "resource": "r"}},
    "activeTools": {"activeTools": [LARGE]},
}


@pytest.mark.parametrize("name", INPUTS)
def test_large_inputs_of_abandoned_streams(monkeypatch, name):
    monkeypatch.setattr(live_runs, "MAX_RUNNING_BYTES", 5_000_000)
    with serve() as server:

        def abandon(headers):
            url, body = "/api/agents/slowAgent/stream", {"messages": "x", **INPUTS[name]}
            with server.http.stream("POST", url, json=body, headers=headers) as response:
                if response.status_code != 200:
                    response.read()
                return response

        assert send_until_refused(lambda: abandon(ANN), 20) == 2
        assert abandon(BOB).status_code == 200


def test_suspended_agent_runs():
    storage = MemoryStorage()
    storage.suspended_runs = MemorySuspendedRuns(limit=8)
    with serve(storage=storage) as server:

        def suspend(headers):
            url = "/api/agents/approvalAgent/generate"
            return server.http.post(url, json={"messages": "x"}, headers=headers)

        waiting = suspend(BOB).json()["runId"]
        assert send_until_refused(lambda: suspend(ANN), 20) == 3
        assert suspend({"x-forwarded-for": "192.0.2.3"}).status_code == 200
        runs = server.http.get("/api/agents/approvalAgent/suspended-runs").json()["runs"]
        assert waiting in {run["runId"] for run in runs}
        with server.http.stream(
            "POST", "/api/agents/approvalAgent/stream", json={"messages": "x"}, headers=ANN
        ) as stream:
            assert "this caller may add no more" in stream.read().decode()


def test_suspended_and_created_workflow_runs():
    with serve(engine=MemoryEngine(max_unfinished=8)) as server:

        def start(headers):
            return server.http.post(f"{APPROVE}/start-async", json=TOPIC, headers=headers)

        waiting = start(BOB).json()["runId"]
        assert send_until_refused(lambda: start(ANN), 20) == 3
        for _ in range(20):
            created = server.http.post(f"{APPROVE}/create-run", json={}, headers=BOB)
            assert created.status_code == 200
        assert start({"x-forwarded-for": "192.0.2.3"}).status_code == 200
        details = server.http.get(f"{APPROVE}/runs/{waiting}").json()
        assert details["status"] == "suspended"


def call_over_http(server, name, arguments, headers):
    url = f"{server.url}/api/mcp/mastra/tools/{name}/execute"
    response = httpx.post(url, json={"data": arguments}, headers=headers, timeout=20)
    return response.status_code, response.text


def call_over_mcp(server, name, arguments, headers):
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
    message["params"] = {"name": name, "arguments": arguments}
    headers = {**headers, "accept": "application/json, text/event-stream"}
    url = f"{server.url}/api/mcp/mastra/mcp"
    result = httpx.post(url, json=message, headers=headers, timeout=20).json()["result"]
    return (409 if result["isError"] else 200), result["content"][0]["text"]


CALLS = pytest.mark.parametrize("call", [call_over_http, call_over_mcp])


@CALLS
def test_workflow_runs_over_mcp_that_suspend(call):
    with serve(engine=MemoryEngine(max_unfinished=8), server={"mcp": True}) as server:
        texts = [call(server, "run_approveWorkflow", {"topic": "x"}, ANN)[1] for _ in range(10)]
        assert ["is suspended" in text for text in texts] == [True] * 4 + [False] * 6
        assert all("this caller may add no more" in text for text in texts[4:])
        started = server.http.post(f"{APPROVE}/start-async", json=TOPIC, headers=BOB)
        assert started.json()["status"] == "suspended"


@CALLS
def test_workflow_runs_over_mcp_that_never_end(call):
    with serve(engine=MemoryEngine(max_unfinished=8), server={"mcp": True}) as server:
        results = []
        arguments = server, "run_slowWorkflow", {"n": 2000}, ANN
        threads = [
            threading.Thread(target=lambda: results.append(call(*arguments))) for _ in range(12)
        ]
        for thread in threads:
            thread.start()
        while len(results) < 8:
            pass
        assert all("this caller may add no more" in text for _, text in results)
        assert call(server, "run_pureWorkflow", {"n": 1}, BOB)[0] == 200
        for thread in threads:
            thread.join(20)
        assert [status for status, _ in results].count(200) == 4


def test_stored_responses(monkeypatch):
    monkeypatch.setattr(response_store, "_MAX_RESPONSES", 4)
    with serve() as server:

        def respond(headers):
            body = {"model": "shout", "input": "x"}
            return server.http.post("/api/v1/responses", json=body, headers=headers).json()["id"]

        kept = respond(BOB)
        latest = [respond(ANN) for _ in range(10)][-1]
        for name in (kept, latest):
            assert server.http.get(f"/api/v1/responses/{name}").status_code == 200


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_of_the_allowed_size_always_fits(monkeypatch, chunked):
    """On a small host the limit of all bodies may be smaller than the limit of one body."""
    monkeypatch.setattr(limits, "BODY_BYTES", Shares(1_000_000))
    body = b'{"messages": "' + b"x" * 3_900_000 + b'"}'
    content = iter([body[:2_000_000], body[2_000_000:]]) if chunked else body
    with serve() as server:
        url = f"{server.url}/api/agents/shout/generate"
        headers = {"content-type": "application/json"}
        assert httpx.post(url, content=content, headers=headers, timeout=20).status_code == 200


@pytest.mark.parametrize("chunked", [False, True])
def test_request_bodies_that_never_end(monkeypatch, chunked):
    with serve() as server, contextlib.ExitStack() as stack:
        monkeypatch.setattr(limits, "BODY_BYTES", Shares(1_000_000))
        gate = threading.Event()
        stack.callback(gate.set)

        def send(headers):
            def generate_body():
                yield b'{"messages": "' + b"x" * 199_000
                gate.wait(20)
                yield b'"}'

            fixed = {} if chunked else {"content-length": str(199_000 + 16)}
            headers = {**headers, **fixed, "content-type": "application/json"}
            url = f"{server.url}/api/agents/shout/generate"
            return httpx.post(url, content=generate_body(), headers=headers, timeout=20)

        threads = [threading.Thread(target=send, args=(ANN,), daemon=True) for _ in range(2)]
        for thread in threads:
            thread.start()
        while limits.BODY_BYTES.free > 602_000:
            pass
        body = {"messages": "x" * 300_000}
        refused = server.http.post("/api/agents/shout/generate", json=body, headers=ANN)
        assert refused.status_code == 429
        assert "large requests" in refused.json()["error"]
        assert (
            server.http.post("/api/agents/shout/generate", json=body, headers=BOB).status_code
            == 200
        )
        assert (
            server.http.post(
                "/api/agents/shout/generate", json={"messages": "x"}, headers=ANN
            ).status_code
            == 200
        )
        gate.set()
        for thread in threads:
            thread.join(20)
    assert limits.BODY_BYTES.free == 1_000_000


def test_large_responses_that_nobody_reads(monkeypatch):
    monkeypatch.setattr(responses, "UNSENT_BYTES", Shares(80_000_000))
    large = {"messages": "x" * 1_000_000}
    with serve() as server, contextlib.ExitStack() as stack:

        def open_response(headers):
            url = "/api/agents/shout/generate"
            stream = server.http.stream("POST", url, json=large, headers=headers)
            return stack.enter_context(stream)

        opened = []
        while not opened or opened[-1].status_code == 200:
            assert len(opened) < 20
            opened.append(open_response(ANN))
        assert opened[-1].status_code == 429
        assert len(opened) > 2
        bob = open_response(BOB)
        assert bob.status_code == 200
        assert len(bob.read()) > 1_000_000
        assert len(opened[0].read()) > 1_000_000
    assert responses.UNSENT_BYTES.free == 80_000_000


def test_large_chunks_of_streams_that_nobody_reads(monkeypatch):
    """Many slow readers of one run must not hold a copy of its events each."""
    monkeypatch.setattr(responses, "UNSENT_BYTES", Shares(40_000_000))
    text = "x" * 4_000_000
    with serve() as server, contextlib.ExitStack() as stack:
        body = {"inputData": {"topic": text}}
        started = server.http.post(f"{APPROVE}/start-async?runId=r", json=body, headers=ANN)
        assert started.json()["status"] == "suspended"

        def observe():
            connection = stack.enter_context(socket.socket())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.settimeout(20)
            connection.connect(("127.0.0.1", server.port))
            head = f"POST {APPROVE}/observe?runId=r HTTP/1.1\r\nhost: a\r\nconnection: close\r\n"
            fields = "".join(f"{name}: {value}\r\n" for name, value in ANN.items())
            connection.sendall(f"{head}{fields}content-length: 0\r\n\r\n".encode())
            return connection

        stalled = [observe() for _ in range(20)]
        deadline = time.monotonic() + 20
        while responses.UNSENT_BYTES.free > 30_000_000:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        time.sleep(0.5)
        assert responses.UNSENT_BYTES.free >= 40_000_000 // 3
        sizes = [len(read_to_end(connection)) for connection in stalled]
        assert max(sizes) > len(text)
        assert min(sizes) < len(text)
        whole = server.http.post(f"{APPROVE}/observe?runId=r", headers=ANN)
        assert len(whole.content) > len(text)
    assert responses.UNSENT_BYTES.free == 40_000_000


def read_to_end(connection):
    received = bytearray()
    while piece := connection.recv(65_536):
        received += piece
    return received


def create_thread(server, number, headers):
    body = {"threadId": f"t{number}", "resourceId": f"invented-{number}"}
    return server.http.post("/api/memory/threads?agentId=shout", json=body, headers=headers)


def save_message(server, number, headers):
    message = {"role": "user", "content": "x", "threadId": f"t{number}"}
    body = {"messages": [{**message, "resourceId": f"invented-{number}"}]}
    return server.http.post("/api/memory/save-messages?agentId=shout", json=body, headers=headers)


def run_agent(server, number, headers):
    body = {"messages": "x", "memory": {"thread": f"t{number}", "resource": f"invented-{number}"}}
    return server.http.post("/api/agents/shout/generate", json=body, headers=headers)


def clone_thread(server, number, headers):
    create_thread(server, 0, headers)
    body = {"newThreadId": f"t{number + 1}", "resourceId": f"invented-{number}"}
    url = "/api/memory/threads/t0/clone?agentId=shout"
    return server.http.post(url, json=body, headers=headers)


@pytest.mark.parametrize("create", [create_thread, save_message, run_agent, clone_thread])
def test_threads_of_invented_resources(create):
    with serve(storage=MemoryStorage(max_threads=20), memory=Memory()) as server:
        assert create_thread(server, "of-bob", BOB).status_code == 200
        for number in range(60):
            assert create(server, number, ANN).status_code == 200
        url = "/api/memory/threads/tof-bob?agentId=shout"
        assert server.http.get(url, headers=BOB).status_code == 200
        assert create_thread(server, "latest", ANN).status_code == 200
