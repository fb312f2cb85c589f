"""JSON Schemas of types: each is built once, and callers may change theirs."""

import dataclasses
import gc
import weakref
from typing import Annotated, TypedDict

import msgspec
import pydantic
import pytest

from mastra_core import tool
from mastra_core.errors import ConfigError
from mastra_core.schema import dump, to_json_schema, validate


@dataclasses.dataclass
class Address:
    street: str
    zip: int = 0


class Line(pydantic.BaseModel):
    sku: str
    tags: list[str] = []


class UnhashableMeta(type):
    def __eq__(cls, other):
        return NotImplemented

    __hash__ = None


@dataclasses.dataclass
class Point(metaclass=UnhashableMeta):
    x: int = 0


@pytest.fixture
def builds(monkeypatch):
    """Collect the types whose schemas msgspec builds."""
    built = []

    def build(types, **options):
        built.extend(types)
        return original(types, **options)

    original = msgspec.json.schema_components
    monkeypatch.setattr(msgspec.json, "schema_components", build)
    return built


def test_the_schema_of_a_class_is_built_once(builds):
    @tool
    def locate(address: Address, precise: bool = False) -> Address:
        return address

    schemas = [(locate.input_schema, locate.output_schema) for _ in range(3)]
    assert schemas[0] == schemas[2]
    assert builds == [locate.input, Address]


@pytest.mark.parametrize("type_", [Address, Line])
def test_a_changed_schema_changes_no_other(type_):
    expected = to_json_schema(type_)
    changed = to_json_schema(type_)
    changed["properties"].clear()
    assert to_json_schema(type_) == expected != changed


def test_equal_unions_keep_the_order_of_their_types():
    assert int | str == str | int
    kinds = [each["type"] for each in to_json_schema(int | str)["anyOf"]]
    others = [each["type"] for each in to_json_schema(str | int)["anyOf"]]
    assert (kinds, others) == (["integer", "string"], ["string", "integer"])


def test_class_without_a_hash():
    with pytest.raises(ConfigError, match="The type Point has no JSON Schema: unhashable"):
        to_json_schema(Point)


def test_a_schema_does_not_keep_its_class():
    class Short(msgspec.Struct):
        name: str

    assert to_json_schema(Short)["required"] == ["name"]
    reference = weakref.ref(Short)
    del Short
    gc.collect()
    assert reference() is None


class Box(msgspec.Struct):
    inner: "Sized"


class Row(TypedDict):
    inner: "Sized"


@dataclasses.dataclass
class Sized:
    name: str
    size: int = 1


@pytest.mark.parametrize(
    ("type_", "wrap"),
    [
        (list[Sized], lambda each: [each]),
        (tuple[Sized, ...], lambda each: [each]),
        (dict[str, list[Sized]], lambda each: {"a": [each]}),
        (Sized | None, lambda each: each),
        (Annotated[list[Sized], msgspec.Meta(max_length=3)], lambda each: [each]),
        (Box, lambda each: {"inner": each}),
        (list[Row], lambda each: [{"inner": each}]),
    ],
)
def test_defaults_of_dataclasses_within_other_types_are_dumped(type_, wrap):
    validated = validate(type_, wrap({"name": "a"}))
    encoded = msgspec.json.encode(dump(validated))
    assert msgspec.json.decode(encoded) == wrap({"name": "a", "size": 1})
