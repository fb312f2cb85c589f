"""The worst body of every operation: the server answers `/health` all the time."""

import itertools
import statistics
import time

import httpx
import pytest

from tests.server.attacks.bodies import FILLINGS, build_raw_bodies, build_worst_bodies
from tests.server.attacks.health import HealthWatcher
from tests.server.conftest import manage_processes

APP = """
from pydantic_ai.messages import ModelResponse, TextPart
from pydantic_ai.models.function import FunctionModel
from mastra_core import Agent, Mastra, Memory, tool
from tests.server.sample_app import create_sample

@tool
def look(place: str) -> str:
    "Look at a place."
    return place

async def respond(messages, info):
    return ModelResponse(parts=[TextPart("fine")])

async def stream(messages, info):
    yield "fine"

model = FunctionModel(respond, stream_function=stream)
agent = Agent(name="model-agent", instructions="Be brief.", model=model, tools=[look])
sample = create_sample()
mastra = Mastra(
    agents={**sample.agents, "modelAgent": agent},
    workflows=dict(sample.workflows),
    tools=dict(sample.tools),
    memory=Memory(working_memory=True),
    server={"openapi": True, "mcp": True, "traces": True},
    logger=False,
)
"""
NAMES = {
    "agentId": "modelAgent",
    "workflowId": "pureWorkflow",
    "toolId": "addTool",
    "serverId": "mastra",
}
MCP_HEADERS = {
    "content-type": "application/json",
    "accept": "application/json, text/event-stream",
}
# Seconds that the server may delay `/health`. Tests that run beside others, on
# cores that are shared, get more; the complete form runs alone.
MAX_DELAY = 0.1
MAX_DELAY_BESIDE_OTHERS = 0.5


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with manage_processes(tmp_path_factory.mktemp("server")) as start:
        server_process, port = start(APP)
        address = f"http://127.0.0.1:{port}"
        with httpx.Client(base_url=address, timeout=60, trust_env=False) as client:
            watcher = HealthWatcher(server_process.pid, port)
            client.pid = server_process.pid
            client.watcher = watcher
            yield client
            watcher.stop()


def list_operations(document):
    """Return method, path and description of each operation that has a body."""
    return [
        (method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if "requestBody" in operation and "501" not in operation["responses"]
    ]


def send(server, method, path, body):
    """Send a body; return the status and the longest delay of `/health` meanwhile."""
    time.sleep(0.02)
    server.watcher.longest = 0.0
    for name, value in NAMES.items():
        path = path.replace(f"{{{name}}}", value)
    headers = {**MCP_HEADERS, "x-mastra-abort-on-disconnect": "true"}
    query = {"agentId": "modelAgent", "runId": "run"}
    with server.stream(method, path, content=body, headers=headers, params=query) as response:
        if not path.endswith("/subscribe"):
            for _ in response.iter_raw():
                pass
    time.sleep(0.01)
    return response.status_code, server.watcher.longest


def check_body(server, method, path, body, max_delay):
    """Return what is wrong with the response to a body, or nothing."""
    status, delay = send(server, method, path, body)
    if status >= 500:
        return f"status {status}"
    if delay <= max_delay:
        return ""
    delays = [delay, *(send(server, method, path, body)[1] for _ in range(4))]
    median = statistics.median(delays)
    return f"delay {median:.3f} s" if median > max_delay else ""


def check_bodies(server, cases, max_delay=MAX_DELAY_BESIDE_OTHERS):
    problems = []
    for method, path, name, body in cases:
        problem = check_body(server, method, path, body, max_delay)
        if problem:
            problems.append(f"{method} {path} {name}: {problem}")
    assert not problems, "\n".join(problems)


def test_each_property_with_a_worst_value(server):
    """Fill each property in one way; across the operations every way is used."""
    document = server.get("/api/openapi.json").json()
    kinds = itertools.cycle(FILLINGS)
    check_bodies(
        server,
        [
            (method, path, name, body)
            for method, path, operation in list_operations(document)
            for name, body in build_worst_bodies(document, operation, lambda: [next(kinds)])
        ],
    )


def test_bodies_that_fit_no_type(server):
    path = "/api/agents/modelAgent/generate"
    check_bodies(server, [("post", path, name, body) for name, body in build_raw_bodies()])


def test_long_conversations(server):
    """Send the largest numbers of messages and parts that are accepted."""
    message = b'{"role":"user","content":"x"}'
    answer = b'{"role":"assistant","content":"y"}'
    parts = b",".join([b'{"type":"text","text":"x"}'] * 4000)
    bodies = {
        "messages": b"[" + b",".join([message] * 1000) + b"]",
        "turns": b"[" + b",".join([message, answer] * 500) + b"]",
        "parts": b'[{"role":"user","content":[' + parts + b"]}]",
        "hidden parts": b'[{"role":"user","content":{"content":[' + parts + b"]}}]",
        "large": b'[{"role":"user","content":"' + b"x" * 4_600_000 + b'"}]',
    }
    cases = [
        ("post", f"/api/agents/modelAgent/{operation}", name, b'{"messages":' + text + memory)
        for operation in ("generate", "stream")
        for name, text in bodies.items()
        for memory in (b"}", b',"memory":{"thread":"t","resource":"r"}}')
    ]
    for method, path, _, body in cases:
        assert send(server, method, path, body)[0] == 200
    check_bodies(server, cases)


def test_files_in_data_urls(server):
    urls = {
        "escapes": "data:text/plain," + "%41" * 1_500_000,
        "malformed escapes": "data:text/plain," + "%" * 4_600_000,
        "parameters": "data:text/plain" + ";" * 4_600_000 + ",x",
        "spaces": "data:text/plain;base64," + "A " * 2_300_000,
    }
    part = '{"messages":[{"role":"user","content":[{"type":"file","url":"%s"}]}]}'
    path = "/api/agents/modelAgent/generate"
    bodies = [(name, (part % url).encode()) for name, url in urls.items()]
    check_bodies(server, [("post", path, name, body) for name, body in bodies])


def test_messages_of_mcp(server):
    call = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"addTool","arguments":'
    cases = [
        ("post", "/api/mcp/mastra/mcp", kind, call + text.encode() + b"}}")
        for kind, text in FILLINGS.items()
    ]
    check_bodies(server, cases)
    for method, path, _, body in cases:
        assert send(server, method, path, body)[0] in (200, 400, 413)
    refused = server.post("/api/mcp/mastra/mcp", content=cases[0][3], headers=MCP_HEADERS)
    assert "20000" in refused.text
    honest = server.post(
        "/api/mcp/mastra/mcp", content=call + b'{"a":1,"b":2}}}', headers=MCP_HEADERS
    )
    assert "3" in str(honest.json()["result"])


@pytest.mark.full
def test_each_property_with_every_worst_value(server):
    document = server.get("/api/openapi.json").json()
    check_bodies(
        server,
        [
            (method, path, name, body)
            for method, path, operation in list_operations(document)
            for name, body in build_worst_bodies(document, operation)
        ],
        MAX_DELAY,
    )


def test_honest_requests_pass(server):
    """Send what people send: none of it comes near a limit."""
    history = [{"role": "user", "content": f"question {number}"} for number in range(300)]
    tools = {
        f"tool{number}": {
            "description": "Do it.",
            "inputSchema": {"type": "object", "properties": {"a": {"type": "string"}}},
        }
        for number in range(100)
    }
    numbers = {"inputData": {"n": 1}, "requestContext": {"rows": list(range(50_000))}}
    schema = {"type": "object", "properties": {f"f{n}": {"type": "string"} for n in range(500)}}
    sent = [
        ("/api/agents/modelAgent/generate", {"messages": history, "clientTools": tools}),
        ("/api/workflows/pureWorkflow/start-async", numbers),
        ("/api/agents/echoAgent/generate", {"messages": "x", "output": schema}),
    ]
    for path, body in sent:
        response = server.post(path, json=body)
        assert response.status_code == 200, response.text
    refused = server.post("/api/agents/modelAgent/generate", json={"messages": history * 4})
    assert refused.status_code == 400
    assert "1000" in refused.text


def test_long_ids_are_refused(server):
    """An id stays in memory as long as its run, and is repeated in every chunk."""
    long = "x" * 10_000
    refused = [
        ("/api/agents/echoAgent/generate", {"messages": "x", "runId": long}),
        ("/api/agents/echoAgent/stream", {"messages": "x", "resourceId": long}),
        ("/api/agents/echoAgent/observe", {"runId": long}),
        ("/api/agents/echoAgent/approve-tool-call", {"runId": long, "toolCallId": "a"}),
        ("/api/agents/echoAgent/send-message", {"message": "x", "threadId": long}),
        (f"/api/workflows/pureWorkflow/create-run?runId={long}", {}),
        ("/api/workflows/pureWorkflow/create-run", {"resourceId": long}),
        ("/api/v1/responses", {"model": "shout", "input": "x", "conversation_id": long}),
        ("/api/memory/threads?agentId=shout", {"resourceId": "r", "threadId": long}),
    ]
    for path, body in refused:
        response = server.post(path, json=body)
        assert response.status_code == 400, path
        assert "512" in response.text, path


def test_parts_are_counted_wherever_they_are(server):
    parts = [{"type": "text", "text": "x"}] * 4001
    one = parts[:1]
    for message in (
        {"content": parts},
        {"parts": parts},
        {"parts": one, "content": parts},
        {"content": {"parts": parts}},
        {"content": {"content": parts}},
    ):
        body = {"messages": [{"role": "user", **message}]}
        response = server.post("/api/agents/shout/generate", json=body)
        assert response.status_code == 400, message.keys()
        assert "4000" in response.text


def test_ids_in_streams_have_no_control_characters(server):
    body = {"messages": "x", "runId": "r\n\ndata: {}"}
    response = server.post("/api/agents/echoAgent/stream", json=body)
    assert response.status_code == 400
    headers = {"last-event-id": "r/" + "9" * 5000}
    response = server.post("/api/agents/echoAgent/stream", json={"messages": "x"}, headers=headers)
    assert response.status_code == 200
