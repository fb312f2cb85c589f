import asyncio
import dataclasses
import threading
from typing import Annotated, Any, Literal, Optional, TypedDict

import msgspec
import pydantic
import pytest

from mastra_core import Tool, ToolContext, tool
from mastra_core.errors import ConfigError, InvalidInput
from mastra_core.tools import as_tool


class Line(pydantic.BaseModel):
    sku: str
    count: int = pydantic.Field(gt=0)


class Order(pydantic.BaseModel):
    lines: list[Line]


class Tree(pydantic.BaseModel):
    children: list["Tree"] = []


@dataclasses.dataclass
class Address:
    street: str
    zip: int = 0


class City(TypedDict):
    name: str


def run(item, data, context=None):
    return asyncio.run(as_tool(item).execute(data, context))


def list_references(node):
    if isinstance(node, dict):
        yield from [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        for value in node.values():
            yield from list_references(value)
    if isinstance(node, list):
        for value in node:
            yield from list_references(value)


def test_schema_of_the_signature():
    @tool
    def find(
        text: Annotated[str, msgspec.Meta(description="What to look for", min_length=1)],
        kind: Literal["book", "film"] = "book",
        limit: int | None = None,
        old: Optional[bool] = False,  # noqa: UP045  # users write it
    ) -> list[str]:
        """Finds things."""
        return [text, kind]

    assert find.id == "find"
    assert find.description == "Finds things."
    schema = find.input_schema
    assert schema["type"] == "object"
    assert schema["required"] == ["text"]
    assert schema["additionalProperties"] is False
    properties = schema["properties"]
    assert properties["text"] == {
        "type": "string",
        "description": "What to look for",
        "minLength": 1,
    }
    assert properties["kind"] == {"enum": ["book", "film"], "default": "book"}
    assert properties["limit"]["default"] is None
    assert {"type": "null"} in properties["limit"]["anyOf"]
    assert find.output_schema == {"type": "array", "items": {"type": "string"}}
    assert run(find, {"text": "x"}) == ["x", "book"]


def test_function_stays_callable():
    @tool(id="plus", description="Adds.", requires_approval=True)
    def add(a: int, b: int = 1) -> int:
        return a + b

    assert (add.id, add.description, add.requires_approval) == ("plus", "Adds.", True)
    assert add(1, b=2) == 3
    assert as_tool(add) is add
    assert run(add, {"a": 1}) == 2


@pytest.mark.parametrize(
    ("hint", "value", "inside"),
    [
        (Order, {"lines": [{"sku": "a", "count": 2}]}, lambda order: order.lines[0].count == 2),
        (list[Order], [{"lines": []}], lambda orders: orders[0].lines == []),
        (Tree, {"children": [{}]}, lambda tree: tree.children[0].children == []),
        (Address, {"street": "x", "zip": 3}, lambda address: address == Address("x", 3)),
        (City, {"name": "Oslo"}, lambda city: city == {"name": "Oslo"}),
        (Any, {"free": [1]}, lambda value: value == {"free": [1]}),
    ],
)
def test_types_of_every_library(hint, value, inside):
    received = []

    def take(it) -> Any:
        received.append(it)
        return it

    take.__annotations__["it"] = hint
    run(take, {"it": value})
    assert [inside(it) for it in received] == [True]
    schema = as_tool(take).input_schema
    for reference in list_references(schema):
        assert reference.removeprefix("#/$defs/") in schema["$defs"], schema


def test_an_object_is_any_value():
    @tool
    def collect(values: dict[str, object]) -> dict[str, object]:
        """Collect."""
        return values

    assert collect.input_schema["properties"]["values"]["type"] == "object"
    assert collect.output_schema["type"] == "object"
    data = {"values": {"a": 1, "b": [None, "x"]}}
    assert run(collect, data) == data["values"]


def test_pydantic_parameter_and_result():
    async def order(it: Order) -> Order:
        return it

    assert as_tool(order).output_schema["properties"]["lines"]["type"] == "array"
    data = {"lines": [{"sku": "a", "count": 1}]}
    assert run(order, {"it": data}) == data


@pytest.mark.parametrize(
    ("hint", "data", "path"),
    [
        (int, {"it": "1"}, "it"),
        (int, {}, "root"),
        (int, {"it": 1, "more": 2}, "root"),
        (list[int], {"it": [1, "2"]}, "it[1]"),
        (Address, {"it": {"street": "x", "zip": "y"}}, "it.zip"),
        (Literal["a"], {"it": "b"}, "it"),
        (Order, {"it": {"lines": [{"sku": "a", "count": 0}]}}, "lines.0.count"),
        (int, [1], "root"),
    ],
)
def test_invalid_data_names_the_field(hint, data, path):
    def take(it):
        pytest.fail("it was called")

    take.__annotations__["it"] = hint
    with pytest.raises(InvalidInput) as caught:
        run(take, data)
    assert caught.value.issues[0][0] == path
    assert caught.value.status == 400
    assert path in caught.value.message


class Title(str):  # as those of libraries
    """A string of a library, such as numpy.str_."""

    __slots__ = ()

    def __str__(self):
        return "not the content"


class Count(int):
    """A number of a library."""


class Share(float):
    """A number of a library, such as numpy.float64."""


def test_subclass_of_a_json_type_is_its_content():
    @tool
    def read(text: str) -> dict[str, Any]:
        return {"title": Title(text), "count": [Count(3)], "share": Share(0.5)}

    result = asyncio.run(read.execute({"text": "notes"}))
    assert result == {"title": "notes", "count": [3], "share": 0.5}
    assert [type(item) for item in (result["title"], *result["count"], result["share"])] == [
        str,
        int,
        float,
    ]


def test_sync_function_does_not_block_the_loop():
    def get_thread() -> int:
        return threading.get_ident()

    async def call_in_loop() -> int:
        return threading.get_ident()

    assert run(get_thread, {}) != threading.get_ident()
    assert run(call_in_loop, None) == threading.get_ident()


def test_context_is_not_an_input():
    async def show_context(context: ToolContext, greeting: str = "hello") -> str:
        assert not context.is_repeated, "only a durable run repeats a call"
        return f"{greeting} {context.request_context.get('user')} {context.run_id}"

    assert list(as_tool(show_context).input_schema["properties"]) == ["greeting"]
    context = ToolContext(request_context={"user": "ann"}, run_id="7")
    assert run(show_context, {}, context) == "hello ann 7"
    assert run(show_context, {}) == "hello None "
    with pytest.raises(InvalidInput):
        run(show_context, {"context": {}})


def test_error_of_the_function_is_raised():
    def broken() -> None:
        raise LookupError("no such row")

    with pytest.raises(LookupError, match="no such row"):
        run(broken, {})


def take_untyped(x):
    return x


def take_args(*args: int):
    return args


def take_kwargs(**more: int):
    return more


def take_unsupported(x: threading.Lock):
    return x


def take_unresolved(x: "Nowhere"):  # noqa: F821  # that is the test
    return x


@pytest.mark.parametrize(
    "function", [take_untyped, take_args, take_kwargs, take_unsupported, take_unresolved, 3, Tool]
)
def test_invalid_tools(function):
    with pytest.raises(ConfigError) as caught:
        as_tool(function)
    assert caught.value.hint


def test_mutable_default():
    @tool
    def label(texts: list[str] = ["new"]) -> list[str]:  # noqa: B006  # users write it
        texts.append("seen")
        return texts

    assert run(label, {}) == run(label, {}) == ["new", "seen"]


def test_mutable_struct_as_a_default():
    class Query(msgspec.Struct):
        words: list[str]

    @tool
    def search(query: Query = Query(["new"])) -> list[str]:  # noqa: B008  # users write it
        query.words.append("seen")
        return query.words

    assert run(search, {}) == run(search, {}) == ["new", "seen"]


def test_positional_only_parameter():
    with pytest.raises(ConfigError, match="'n' of 'double' is positional-only") as caught:

        @tool
        def double(n: int, /) -> int:
            return 2 * n

    assert "'/'" in caught.value.hint
