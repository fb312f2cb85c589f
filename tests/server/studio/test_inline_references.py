"""Test the schemas of the API: forms of Studio do not follow references."""

import json
from dataclasses import dataclass
from enum import Enum

import pydantic

from mastra_core import Mastra, Workflow, step, tool
from mastra_core.schema import to_json_schema
from mastra_server.descriptions.inline_references import inline_references


class Priority(Enum):
    LOW = "low"
    HIGH = "high"


@dataclass
class Address:
    city: str


@dataclass
class Node:
    name: str
    children: list["Node"]


@dataclass
class Ticket:
    priority: Priority
    home: Address
    others: list[Address]
    tree: Node


class Order(pydantic.BaseModel):
    priority: Priority = pydantic.Field(description="How soon")
    address: Address


ADDRESS = {
    "title": "Address",
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}


@tool
async def file_ticket(ticket: Ticket) -> Address:
    return ticket.home


@step(resume=Order)
async def wait(ticket: Ticket) -> Address:
    return ticket.home


def test_forms_have_the_fields_of_nested_types(serve):
    mastra = Mastra(
        tools={"file": file_ticket},
        workflows={"file": Workflow("file").then(wait)},
        server={"mcp": True},
        logger=False,
    )
    with serve(mastra) as server:
        described = server.http.get("/api/tools/file").json()
        workflow = server.http.get("/api/workflows/file").json()
        offered = server.http.get("/api/mcp/mastra/tools/file").json()
    of_tool = json.loads(described["inputSchema"])["json"]["properties"]["ticket"]
    of_workflow = json.loads(workflow["inputSchema"])["json"]
    for schema in (of_tool, of_workflow, offered["inputSchema"]["properties"]["ticket"]):
        fields = schema["properties"]
        assert sorted(fields["priority"]["enum"]) == ["high", "low"]
        assert fields["home"] == fields["others"]["items"] == ADDRESS
    order = json.loads(workflow["steps"]["wait"]["resumeSchema"])["json"]
    assert "$defs" not in order
    assert order["properties"]["priority"]["description"] == "How soon"
    assert order["properties"]["priority"]["enum"] == ["low", "high"]


def test_recursive_types_keep_their_definition():
    schema = inline_references(to_json_schema(Ticket))
    children = schema["properties"]["tree"]["properties"]["children"]
    assert children["items"] == {"$ref": "#/$defs/Node"}
    assert "Node" in schema["$defs"]
    assert schema["properties"]["home"] == ADDRESS


def test_schemas_do_not_grow_exponentially():
    twice = {f"T{n}": {"anyOf": [{"$ref": f"#/$defs/T{n + 1}"}] * 2} for n in range(60)}
    schema = {"$ref": "#/$defs/T0", "$defs": {**twice, "T60": {"type": "string"}}}
    assert inline_references(schema) is schema


def test_other_references_stay():
    schema = {"properties": {"a": {"$ref": "https://example.com/a"}}, "$defs": {}}
    assert inline_references(schema) == {"properties": schema["properties"]}
