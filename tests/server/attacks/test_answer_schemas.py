"""Test that the schema of an answer, which a caller sends, makes the server load nothing."""

import json

import pytest
from pydantic_ai.models.function import FunctionModel

from mastra_core import Agent, Mastra
from tests import scripted_server
from tests.server import sample_agents

SECRET = "secret-of-the-machine"


@pytest.fixture
def internal():
    """A server that only the application can reach."""
    with scripted_server.serve(lambda _: (200, {}, {"const": SECRET})) as server:
        yield server


@pytest.fixture(scope="module")
def app(serve):
    model = FunctionModel(
        sample_agents.generate_response, stream_function=sample_agents.stream_response
    )
    agent = Agent(name="clerk", model=model, tools=[sample_agents.pay])
    with serve(Mastra(agents={"clerk": agent}, logger=False)) as server:
        yield server


def build_schema(**city):
    return {"type": "object", "properties": {"city": city}, "required": ["city"]}


def send_each_way(http, schema):
    """Yield the texts of the responses of every route that takes the schema of an answer."""
    run = {"messages": "object"}
    for options in ({"structuredOutput": {"schema": schema}}, {"output": schema}):
        for name in ("generate", "stream", "stream/ui"):
            yield http.post(f"/api/agents/clerk/{name}", json={**run, **options}).text
    text = {"format": {"type": "json_schema", "name": "a", "schema": schema}}
    body = {"agent_id": "clerk", "input": "object", "text": text}
    yield http.post("/api/v1/responses", json=body).text


def test_schemas_of_other_hosts_and_files(app, internal, tmp_path):
    stored = tmp_path / "key.json"
    stored.write_text(json.dumps({"const": SECRET}))
    remote = f"{internal.url}/"
    for schema in (
        build_schema(**{"$ref": remote}),
        build_schema(**{"$ref": f"{remote}#/const"}),
        build_schema(**{"$ref": stored.as_uri()}),
        build_schema(**{"$ref": f"FILE://{stored}"}),
        build_schema(**{"$ref": 'data:,{"const":1}'}),
        {"$id": remote, **build_schema(**{"$ref": "other.json"})},
        {**build_schema(**{"$id": remote, "allOf": [{"$ref": "other.json#/a"}]})},
        {"$schema": remote, **build_schema(anyOf=[{"$ref": remote}])},
    ):
        for text in send_each_way(app.http, schema):
            assert SECRET not in text
    assert internal.seen == []


def test_references_inside_of_a_schema(app):
    schema = {**build_schema(**{"$ref": "#/$defs/City"}), "$defs": {"City": {"type": "string"}}}
    for text in send_each_way(app.http, schema):
        assert "Oslo" in text, text
    body = {"messages": "object", "output": build_schema(type="string")}
    answer = app.http.post("/api/agents/clerk/generate", json=body)
    assert answer.json()["object"] == {"city": "Oslo"}


@pytest.mark.parametrize(
    "schema", [{"type": "object", "properties": 3}, {"type": 5}, {"$ref": "#/x"}]
)
def test_malformed_schemas(app, schema):
    body = {"messages": "object", "output": schema}
    answer = app.http.post("/api/agents/clerk/generate", json=body)
    assert answer.status_code == 400
    assert "schema of the answer is invalid" in answer.text or "has no target" in answer.text


def test_a_client_tool_beside_the_tools(app):
    body = {"messages": "work", "clientTools": {"work": {"inputSchema": {"type": "object"}}}}
    answer = app.http.post("/api/agents/clerk/generate", json=body).json()
    assert answer["toolCalls"][0]["payload"]["toolName"] == "work"


def test_a_client_tool_with_the_name_of_a_tool(app):
    before = list(sample_agents.paid)
    body = {"messages": "pay", "clientTools": {"pay": {"inputSchema": {"type": "object"}}}}
    answer = app.http.post("/api/agents/clerk/generate", json=body)
    assert answer.status_code == 400, answer.text
    assert "'pay'" in answer.json()["error"]
    assert sample_agents.paid == before
