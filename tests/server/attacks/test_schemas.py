"""JSON Schemas of callers: no size, depth or reference keeps the server busy."""

import time

import pytest

from tests.server.attacks.test_worst_bodies import APP


def refer_twice(levels):
    """Return a schema that grows by two at each level when its references are replaced."""
    schemas = {
        f"d{level}": {
            "type": "object",
            "properties": {name: {"$ref": f"#/$defs/d{level + 1}"} for name in "ab"},
        }
        for level in range(levels)
    }
    return {"type": "object", "$ref": "#/$defs/d0", "$defs": {**schemas, f"d{levels}": {}}}


LARGE = {"type": "object", "properties": {f"f{n}": {"type": "string"} for n in range(3000)}}
DEEP = {"type": "object", "properties": {}}
for _ in range(150):
    DEEP = {"type": "object", "properties": {"a": DEEP}}
TREE = {
    "type": "object",
    "$defs": {"tree": {"type": "object", "properties": {"left": {"$ref": "#/$defs/tree"}}}},
    "properties": {"tree": {"$ref": "#/$defs/tree"}},
}


@pytest.fixture(scope="module")
def model_server(serve):
    names = {}
    exec(APP, names)
    with serve(names["mastra"]) as server:
        yield server


def build_bodies(schema):
    client_tool = {"description": "Do it.", "inputSchema": schema}
    return [
        {"messages": "x", "output": schema},
        {"messages": "x", "structuredOutput": {"schema": schema}},
        {"messages": "x", "clientTools": {"do": client_tool}},
        {"messages": "x", "clientTools": {"do": {"parameters": schema}}},  # an earlier name
    ]


@pytest.mark.parametrize("schema", [LARGE, refer_twice(40)], ids=["large", "references"])
def test_large_schemas_are_refused(model_server, schema):
    started = time.process_time()
    for body in build_bodies(schema):
        response = model_server.http.post("/api/agents/modelAgent/generate", json=body)
        assert response.status_code == 400
        assert "schema" in response.json()["issues"][0]["message"]
    body = {"model": "modelAgent", "input": "x"}
    tool = {"type": "function", "name": "do", "parameters": schema}
    formatted = {"format": {"type": "json_schema", "name": "x", "schema": schema}}
    for field in ({"tools": [tool]}, {"text": formatted}):
        response = model_server.http.post("/api/v1/responses", json=body | field)
        assert response.status_code == 400
    assert time.process_time() - started < 10


def test_strange_schema_is_no_error_of_the_server(model_server):
    for schema in ({"type": "array"}, {"a": {"b": 1}}, DEEP):
        body = {"messages": "x", "output": schema}
        response = model_server.http.post("/api/agents/modelAgent/generate", json=body)
        assert response.status_code in (200, 400, 422)
    assert model_server.http.get("/health").status_code == 200


@pytest.mark.parametrize("schema", [TREE, refer_twice(4)], ids=["tree", "references"])
def test_ordinary_schemas_are_accepted(model_server, schema):
    body = {"messages": "x", "clientTools": {"do": {"inputSchema": schema}}}
    response = model_server.http.post("/api/agents/modelAgent/generate", json=body)
    assert response.status_code == 200, response.text
