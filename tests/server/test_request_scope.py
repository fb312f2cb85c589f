"""Test that the server keeps timers, tasks and futures within a request, where the mode asks so."""

import pytest

from mastra_core import Memory
from tests.node import install_front_ends
from tests.server.attacks.test_nasty_values import (
    MESSAGE,
    VALID,
    build_valid,
    create_application,
    fill_path,
    get_required_params,
    iter_operations,
    resolve,
)
from tests.server.guarded_server import serve_guarded
from tests.server.memory.test_routes import create_memory_application
from tests.server.sample_agents import create_application as create_agents
from tests.server.sample_app import create_sample
from tests.server.sample_workflows import create_sample as create_workflows
from tests.server.wire.application import create_application as create_wire_application
from tests.server.wire.compare import find_differences
from tests.server.wire.deliberate_differences import find_explanations
from tests.server.wire.driver import run_client
from tests.server.wire.test_wire import CALLS

pytestmark = pytest.mark.slow
OPTIONAL = ("inputData", "resumeData", "step")
SUITES = {
    "agents.mjs": create_agents,
    "threads.mjs": lambda: create_agents(memory=Memory()),
    "workflows.mjs": create_workflows,
    "memory.mjs": create_memory_application,
    "traces.mjs": lambda: create_sample(server={"traces": True}),
}


def call_operation(http, method, path, operation, components):
    """Send a valid request twice, and read the answer as far as it comes without a wait."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    schema = resolve(content["schema"], components) if content else {}
    optional = {name: VALID[name] for name in OPTIONAL if name in schema.get("properties", ())}
    body = content and {**build_valid(schema, components), **optional}
    query = {"runId": "run-1", **get_required_params(operation)}
    for _ in range(2):
        with http.stream(method, fill_path(path), params=query, json=body) as answer:
            if path.endswith(("/subscribe", "/transports/sse")):
                next(answer.iter_raw())
            else:
                answer.read()
        assert answer.status_code < 500 or str(answer.status_code) in operation["responses"], path
    return answer.is_success


def test_every_operation():
    with serve_guarded(lambda: create_application("memory")) as server:
        http = server.http
        http.post("/api/memory/threads", json={"threadId": "thread-1", "resourceId": "ann"})
        http.post("/api/memory/save-messages", json={"messages": [MESSAGE]})
        http.post("/api/workflows/approveWorkflow/create-run?runId=run-1", json={})
        document = http.get("/api/openapi.json").json()
        operations = sorted(iter_operations(document), key=lambda each: each[0] == "DELETE")
        schemas = document["components"]["schemas"]
        successes = [call_operation(http, *operation, schemas) for operation in operations]
        server.wait_for_ends()
        assert len(operations) > 100
        assert sum(successes) >= 65  # others are unsupported, or refused in the state of the run
        assert server.guard.breaches == []


def test_wire():
    """The client receives what the recording has, and no request touches another one."""
    with serve_guarded(lambda: create_wire_application(server={"mcp": True})) as server:
        results = run_client(install_front_ends(), server.url)
        assert server.guard.breaches == []
    strange = {
        (name, path): text
        for name, seen in results["calls"].items()
        for path, text in find_differences(CALLS[name], seen).items()
        if not find_explanations(name, path)
    }
    assert strange == {}


@pytest.mark.parametrize("script", SUITES)
def test_client(node, script):
    with serve_guarded(SUITES[script]) as server:
        node(script, server.url)
        assert server.guard.breaches == []


def test_the_guard_reports_a_shared_event(monkeypatch):
    """Without the mode, the same server breaks the rule; so the tests above see breaches."""
    monkeypatch.setattr("tests.server.guarded_server.enable_request_scope", lambda _: None)
    with serve_guarded(create_workflows) as server:
        at = "/api/workflows/endless"
        assert server.http.post(f"{at}/create-run?runId=run-1", json={}).status_code == 200
        assert server.http.post(f"{at}/start?runId=run-1", json={"inputData": 1}).is_success
        server.wait_for_ends()  # the guard finds what is left before the next request cancels it
        assert server.http.post(f"{at}/runs/run-1/cancel").is_success
        server.wait_for_ends()
        texts = "\n".join(server.guard.breaches)
    assert "/endless/start #1 left the task" in texts
    assert "/cancel #2 cancelled a future of POST /api/workflows/endless/start #1" in texts
