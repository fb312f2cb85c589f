"""Put nasty values into every parameter and field of the API: no request makes the server fail."""

import json
import re
import urllib.parse

import httpx
import pytest
from pydantic_ai.models.function import FunctionModel

from mastra_core import Agent, Mastra, Memory, SqliteStorage, Workflow
from tests.server import sample_agents, sample_app

pytestmark = [pytest.mark.slow, pytest.mark.full]

PLACE = "@@place@@"
DATES = [
    "0000-01-01", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "10000-01-01",
    "+275760-09-13T00:00:00.001Z", "-000001-01-01T00:00:00Z", "2024-02-30", "2024-W53-7",
    "2024-01-01T00:00:00+99:99", "2024-01-01T25:61:61Z", "2024-01-01T00:00:00.123456789123Z",
    "0001-01-01", "9999-12-31", "1970-01-01T00:00:00Z", "2024-01-01T00:00:00[Europe/Oslo]",
]  # fmt: skip
TEXTS = [
    "", " ", "a" * 5000, "\x00", "a\x00b", "\ufffe\uffff", "é" * 600, "\U0001f600", "../..", "%00",
    "null", "{}", "[]", "[[[", "{", '{"a":', "@", "__proto__", "data:;base64,é", "data:é,x",
    "9" * 5000, "-1", "1.5", "1e400", "-0", "0x10", "٣", "NaN", "Infinity", "true", "18446744073709551616",
    *DATES,
]  # fmt: skip
NUMBERS = [
    "9" * 5000, "-" + "9" * 5000, "1e400", "-1e400", "1e308", "5e-324", "NaN", "Infinity", "-1",
    "0", "-0.0", "0.5", "9223372036854775807", "9223372036854775808", "-9223372036854775809",
    "18446744073709551616", "1" + "0" * 400 + ".5",
]  # fmt: skip
ESCAPED = [r'"\ud800"', r'"\udfff\ud800"', r'"\u0000"', r'"a\ud83d"', r'{"\ud800": 1}']
CONTAINERS = [
    "null", "true", "[]", "{}", "[null]", "[[]]", '[{"a": []}]', '{"a": {"b": []}}', '{"": ""}',
    "[" * 150 + "]" * 150, "[" * 300 + "]" * 300, '{"a":' * 150 + "1" + "}" * 150, "[1,", "",
    json.dumps({"type": "text"}), json.dumps(["x"] * 2000),
]  # fmt: skip
VALUES = [*(json.dumps(text) for text in TEXTS), *NUMBERS, *ESCAPED, *CONTAINERS]
PARTS = [
    {"type": "file", "data": PLACE},
    {"type": "file", "data": "aGk=", "mediaType": PLACE},
    {"type": "file", "url": PLACE},
    {"type": "image", "image": PLACE},
    {"type": "text", "text": PLACE},
    {"type": "tool-call", "toolCallId": "1", "toolName": "pay", "args": PLACE},
    {"type": "tool-call", "toolCallId": PLACE, "toolName": PLACE, "input": {}},
    {"type": "tool-result", "toolCallId": "1", "toolName": "pay", "result": PLACE},
    {"type": "tool-invocation", "toolInvocation": PLACE},
    {"type": "tool-pay", "toolCallId": "1", "state": "output-available", "output": PLACE},
    {"type": PLACE},
    PLACE,
]
FILES = ["data:;base64,é", "data:image/png;base64,\u00ff", "é", "aGk", "aGk=é", "http://é", "://"]
MESSAGE = {"role": "user", "content": "hello", "threadId": "thread-1", "resourceId": "ann"}
VALID = {
    "agentId": "clerk",
    "workflowId": "approveWorkflow",
    "toolId": "whoami",
    "serverId": "mastra",
    "threadId": "thread-1",
    "thread_id": "thread-1",
    "runId": "run-1",
    "resourceId": "ann",
    "transportId": "memory",
    "messages": [MESSAGE],
    "message": "hello",
    "messageIds": ["none"],
    "agent_id": "clerk",
    "input": "hello",
    "data": {},
    "step": "ask",
    "resumeData": {"ok": True},
    "inputData": {"topic": "hello"},
    "toolCallId": "call",
    "approved": True,
    "workingMemory": "notes",
    "timeRange": {"from": "2000-01-01", "to": "2100-01-01"},
    "from": "2000-01-01",
    "to": "2100-01-01",
}


async def stream_response(messages, info):
    yield "hello"


def create_application(storage):
    model = FunctionModel(sample_agents.generate_response, stream_function=stream_response)
    return Mastra(
        agents={"clerk": Agent(name="clerk", model=model, tools=[sample_agents.pay])},
        workflows={
            "approveWorkflow": Workflow("approve-workflow")
            .then(sample_app.ask)
            .then(sample_app.fin)
        },
        tools={"whoami": sample_app.whoami, "add": sample_app.add},
        memory=Memory(working_memory=True),
        storage=storage,
        logger=False,
        server={"mcp": True, "traces": True, "logs": True, "openapi": True, "timeout": 20},
    )


@pytest.fixture(scope="module")
def server(serve, tmp_path_factory):
    storage = SqliteStorage(tmp_path_factory.mktemp("nasty") / "app.db")
    with serve(create_application(storage)) as running_server:
        http = running_server.http
        http.post("/api/memory/threads", json={"threadId": "thread-1", "resourceId": "ann"})
        http.post("/api/memory/save-messages", json={"messages": [MESSAGE]})
        create = "/api/workflows/approveWorkflow/create-run?runId=run-1"
        assert http.post(create, json={}).status_code == 200
        running_server.document = http.get("/api/openapi.json").json()
        yield running_server


def iter_operations(document):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def fill_path(path, name="", text=""):
    values = {**VALID, **({name: urllib.parse.quote(text, safe="")} if name else {})}
    return re.sub(r"\{(\w+)\}", lambda match: str(values.get(match[1], "x")), path)


def get_required_params(operation):
    return {
        each["name"]: VALID[each["name"]]
        for each in operation["parameters"]
        if each["in"] == "query" and each.get("required")
    }


class Attacker:
    """Send requests, and collect those that make the server fail."""

    def __init__(self, server):
        self._http = httpx.Client(base_url=server.url, timeout=30, trust_env=False)
        self.failures, self.sent = [], 0

    def close(self):
        self._http.close()

    def send(self, method, url, operation, body=None):
        """Send a request without reading a stream, and note its status if it is wrong."""
        headers = {"content-type": "application/json"}
        content = None if body is None else body.encode("utf-8", "surrogatepass")
        with self._http.stream(method, url, content=content, headers=headers) as answer:
            self.sent += 1
            streams = answer.headers.get("content-type", "").startswith("text/")
            text = "" if streams else answer.read().decode()
        allowed = (
            answer.status_code in (501, 503) and str(answer.status_code) in operation["responses"]
        )
        if answer.status_code >= 500 and not allowed:
            self.failures.append(
                (answer.status_code, method, url[:200], (body or "")[:200], text[:200])
            )


@pytest.fixture
def attacker(server):
    attacker = Attacker(server)
    yield attacker
    attacker.close()
    assert server.http.get("/health").status_code == 200
    assert not attacker.failures, f"{len(attacker.failures)}: {attacker.failures[:15]}"


def test_query_parameters(server, attacker):
    seen = set()
    for method, path, operation in iter_operations(server.document):
        if path.endswith("/threads/subscribe"):
            continue
        for parameter in operation["parameters"]:
            # Every operation has a requestContext, and reads it with the same code.
            if parameter["in"] != "query" or parameter["name"] in seen:
                continue
            seen |= {parameter["name"]} & {"requestContext"}
            for text in (*TEXTS, *NUMBERS, *CONTAINERS[:12], *ESCAPED):
                query = urllib.parse.urlencode(
                    {**get_required_params(operation), parameter["name"]: text}
                )
                body = "{}" if method != "GET" else None
                attacker.send(method, f"{fill_path(path)}?{query}", operation, body)
    assert attacker.sent > 5000


def test_path_parameters(server, attacker):
    for method, path, operation in iter_operations(server.document):
        for name in re.findall(r"\{(\w+)\}", path):
            for text in (
                "\x00",
                "é",
                "a" * 5000,
                "%ff",
                "٣",
                "x y",
                "9" * 5000,
                "\U0001f600",
                "a/b",
            ):
                query = urllib.parse.urlencode(get_required_params(operation))
                body = "{}" if method != "GET" else None
                attacker.send(method, f"{fill_path(path, name, text)}?{query}", operation, body)


def resolve(schema, components):
    """Return the first object or array schema that ``schema`` allows."""
    for each in (schema, *schema.get("anyOf", ())):
        found = components.get(each.get("$ref", "").rpartition("/")[2], each)
        if found.get("type") in ("object", "array"):
            return found
    return schema


def build_valid(schema, components):
    """Return the required fields of an object with valid values."""
    return {name: VALID.get(name, "x") for name in schema.get("required", ())}


def iter_bodies(schema, components, depth=0):
    """Yield bodies as JSON with a place for a value, one for each field at each depth."""
    schema = resolve(schema, components)
    if schema.get("type") == "array" and depth < 5:
        for inner in iter_bodies(schema.get("items", {}), components, depth + 1):
            yield [inner]
    for name, each in schema.get("properties", {}).items():
        base = {key: value for key, value in build_valid(schema, components).items() if key != name}
        yield {**base, name: PLACE}
        if depth < 5:
            for inner in iter_bodies(each, components, depth + 1):
                yield {**base, name: inner}


def test_body_fields(server, attacker):
    components, seen = server.document["components"]["schemas"], set()
    for method, path, operation in iter_operations(server.document):
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if not content or path.endswith("/threads/subscribe"):
            continue
        query = urllib.parse.urlencode(get_required_params(operation))
        url, first = f"{fill_path(path)}?{query}", content["schema"].get("$ref") not in seen
        seen.add(content["schema"].get("$ref"))
        for body in iter_bodies(content["schema"], components):
            text = json.dumps(body)
            for value in VALUES if first else VALUES[::7]:
                attacker.send(method, url, operation, text.replace(json.dumps(PLACE), value))
        for value in VALUES:
            attacker.send(method, url, operation, value)
    assert attacker.sent > 5000


@pytest.mark.parametrize("role", ["user", "assistant", "system", "tool"])
def test_parts_of_messages(server, attacker, role):
    any_operation = {"responses": {}}
    for offset, part in enumerate(PARTS):
        names = {
            "threadId": "thread-1",
            "resourceId": "ann",
            "id": "m-1",
            "createdAt": "2024-01-01",
        }
        message = {"role": role, "content": [part], **names}
        stored = {**message, "content": {"format": 2, "parts": [part]}}
        for text in (json.dumps(message), json.dumps(stored)):
            for value in (*VALUES[offset % 3 :: 3], *map(json.dumps, FILES)):
                one = text.replace(json.dumps(PLACE), value)
                many = f'{{"messages": [{one}]}}'
                attacker.send("POST", "/api/agents/clerk/generate", any_operation, many)
                attacker.send("POST", "/api/memory/save-messages", any_operation, many)
                attacker.send(
                    "POST",
                    "/api/v1/responses",
                    any_operation,
                    f'{{"agent_id": "clerk", "input": [{one}]}}',
                )
    listed = server.http.get("/api/memory/threads/thread-1/messages?perPage=false")
    assert listed.status_code == 200


@pytest.mark.parametrize("date", DATES)
def test_dates(server, attacker, date):
    operation = {"responses": {}}
    message = {**MESSAGE, "id": "m-2", "createdAt": date}
    attacker.send(
        "POST", "/api/memory/save-messages", operation, json.dumps({"messages": [message]})
    )
    listed = server.http.get("/api/memory/threads/thread-1/messages?perPage=false")
    assert listed.status_code == 200, listed.text


def test_protocol_of_mcp(server, attacker):
    operation = {"responses": {}}
    call = {"jsonrpc": "2.0", "method": "tools/call", "id": 1}
    for name in ("ask_clerk", "run_approveWorkflow", "add", "whoami", PLACE):
        for arguments in ({"message": PLACE}, {"topic": PLACE}, {"a": PLACE, "b": 1}, PLACE):
            text = json.dumps({**call, "params": {"name": name, "arguments": arguments}})
            for value in VALUES:
                body = text.replace(json.dumps(PLACE), value)
                attacker.send("POST", "/api/mcp/mastra/mcp", operation, body)


def test_honest_values(server):
    """The same server answers honest requests after all attacks."""
    run = {"messages": "hello", "memory": {"thread": "honest", "resource": "ann"}}
    assert server.http.post("/api/agents/clerk/generate", json=run).json()["text"].startswith("You")
    dates = "fromDate=2000-01-01&toDate=2100-01-01T00:00:00%2B02:00"
    assert server.http.get(f"/api/workflows/approveWorkflow/runs?{dates}").json()["total"] > 0
    added = server.http.post("/api/tools/add/execute", json={"data": {"a": 1, "b": 2}})
    assert added.json() == {"sum": 3}
