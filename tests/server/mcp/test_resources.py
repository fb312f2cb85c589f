"""Test the resources of an application over MCP, with the official client, and over HTTP."""

import asyncio

import mcp
import pytest

from mastra_core.errors import ConfigError, InvalidInput
from mastra_core.mcp import McpResource
from mastra_server import ApiKeys, create_app
from tests.server.sample_app import create_sample

PATH = "/api/mcp/mastra"


def name_reader(caller):
    return f"read by {caller.resource}"


async def list_prices(_):
    return {"tea": 3}


def refuse(_):
    raise InvalidInput("The reader is not known.")


def fail(_):
    raise RuntimeError("secret detail")


RESOURCES = (
    McpResource(uri="docs://terms", name="terms", content="Be nice.", mime_type="text/markdown"),
    McpResource(uri="docs://logo", name="logo", content=b"\x89PNG", mime_type="image/png"),
    McpResource(uri="docs://reader", name="reader", content=name_reader, description="Who reads."),
    McpResource(uri="docs://prices", name="prices", content=list_prices),
    McpResource(uri="docs://refused", name="refused", content=refuse),
    McpResource(uri="docs://broken", name="broken", content=fail),
)
CONTENTS = {
    "docs://terms": {"mimeType": "text/markdown", "text": "Be nice."},
    "docs://logo": {"mimeType": "image/png", "blob": "iVBORw=="},
    "docs://reader": {"mimeType": "text/plain", "text": "read by ada"},
    "docs://prices": {"mimeType": "application/json", "text": '{"tea":3}'},
}


@pytest.fixture(scope="module")
def server(serve):
    auth = ApiKeys({"ada": "key-of-ada"}, restrict_memory=True)
    with serve(server={"mcp": True, "mcp_resources": RESOURCES, "auth": auth}) as running:
        running.http.headers["authorization"] = "Bearer key-of-ada"
        yield running


def test_official_client(server):
    async def talk():
        async with mcp.Client(f"{server.url}{PATH}/mcp?apiKey=key-of-ada") as client:
            listed = await client.list_resources()
            read = {uri: await client.read_resource(uri) for uri in CONTENTS}
            errors = []
            for uri in ("docs://none", "docs://refused", "docs://broken"):
                with pytest.raises(mcp.MCPError) as caught:
                    await client.read_resource(uri)
                errors.append(str(caught.value))
            return listed, read, errors

    listed, read, errors = asyncio.run(talk())
    assert [each.uri for each in listed.resources] == [each.uri for each in RESOURCES]
    for uri, result in read.items():
        (contents,) = result.contents
        assert contents.model_dump(by_alias=True, exclude_none=True) == {
            "uri": uri, **CONTENTS[uri],
        }  # fmt: skip
    assert "There is no resource" in errors[0]
    assert "The reader is not known." in errors[1]
    assert "docs://broken failed." in errors[2]


def test_routes(server):
    listed = server.http.get(f"{PATH}/resources").json()["resources"]
    assert listed[2] == {"uri": "docs://reader", "name": "reader", "description": "Who reads."}
    for uri, contents in CONTENTS.items():
        answer = server.http.post(f"{PATH}/resources/read", json={"uri": uri})
        assert answer.json() == {"contents": [{"uri": uri, **contents}]}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"uri": "docs://none"}, 404),
        ({"uri": "file:///etc/passwd"}, 404),
        ({"uri": ""}, 400),
        ({"uri": "x" * 5000}, 400),
        ({}, 400),
        ({"uri": "docs://refused"}, 400),
        ({"uri": "docs://broken"}, 500),
    ],
)
def test_invalid_reads(server, body, status):
    answer = server.http.post(f"{PATH}/resources/read", json=body)
    assert answer.status_code == status
    assert "secret" not in answer.text


def test_resources_require_auth(server):
    anonymous = {"authorization": ""}
    assert server.http.get(f"{PATH}/resources", headers=anonymous).status_code == 401
    read = server.http.post(f"{PATH}/resources/read", json={}, headers=anonymous)
    assert read.status_code == 401


def test_no_resources(serve):
    async def talk(url):
        async with mcp.Client(url) as client:
            return client.server_capabilities

    with serve(server={"mcp": True}) as server:
        assert server.http.get(f"{PATH}/resources").json() == {"resources": []}
        assert asyncio.run(talk(f"{server.url}{PATH}/mcp")).resources is None


@pytest.mark.parametrize(
    ("resources", "message"),
    [
        (["docs://terms"], "is not a resource"),
        ([RESOURCES[0], RESOURCES[0]], "have the URI 'docs://terms'"),
    ],
)
def test_invalid_settings(resources, message):
    with pytest.raises(ConfigError, match=message):
        create_app(create_sample(server={"mcp": True, "mcp_resources": resources}))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"uri": "terms", "content": ""}, "no scheme"),
        ({"uri": "a:b", "content": 5}, "neither text"),
    ],
)
def test_invalid_resources(fields, message):
    with pytest.raises(ConfigError, match=message):
        McpResource(name="x", **fields)
