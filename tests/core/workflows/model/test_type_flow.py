"""Types that do not fit are found when a workflow is described."""

import datetime as dt
import enum
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import msgspec
import pydantic
import pytest

from mastra_core import Mastra, StepContext, Workflow, step, tool
from mastra_core.errors import ConfigError
from mastra_core.workflows import as_step
from mastra_core.workflows.model.type_compat import explain_mismatch
from tests.core.workflows.sample_steps import Point, add_one, double


class Colour(enum.Enum):
    RED = "red"


class Partial(TypedDict):
    x: NotRequired[int]


class Model(pydantic.BaseModel):
    x: int
    y: int = 0


class Lenient(pydantic.BaseModel):
    x: int

    @pydantic.model_validator(mode="before")
    @classmethod
    def read(cls, value):
        return {"x": len(value)}


class Renamed(msgspec.Struct, rename="camel"):
    long_name: int


class Strict(msgspec.Struct, forbid_unknown_fields=True):
    x: int


@dataclass
class Tree:
    value: int
    children: "list[Tree]"


@dataclass
class Texts:
    value: str
    children: "list[Texts]"


@dataclass
class Two:
    x: int
    z: str


@pytest.mark.parametrize(
    ("source", "target", "reason"),
    [
        (int, str, "root: number is not string"),
        (None, int, "root: null is not number"),
        (list[int], int, "root: array is not number"),
        (list[int], list[str], "[]: number is not string"),
        (dict[str, int], dict[str, str], "number is not string"),
        (int | None, str | bool, "not"),
        (Point, str, "root: Point is not string"),
        (Point, Two, "z: missing"),
        (Two, Strict, "z: unknown field"),
        (Model, Two, "z: missing"),
        (dict[str, str], Point, "x: string is not number"),
        (Point, dict[str, str], "x: number is not string"),
        (list[Point], list[Two], "[].z: missing"),
        (Renamed, Point, "x: missing"),
        (str, Model, "root: string is not Model"),
        (Literal["a"], int, "root: string is not number"),
        (Colour, int, "root: string is not number"),
        (Tree, Texts, "value: number is not string"),
        (dt.datetime, bool, "root: string is not boolean"),
        (Annotated[int, msgspec.Meta(ge=1)], str, "root: number is not string"),
    ],
)
def test_incompatible_types(source, target, reason):
    assert reason in explain_mismatch(source, target)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (int, int),
        (int, float),
        (float, int),
        (int | None, int),
        (int, int | None),
        (Any, str),
        (int, Any),
        ({"type": "string"}, int),
        (str, dt.datetime),
        (dt.datetime, str),
        (Literal["red"], Colour),
        (Two, Point),
        (Point, Partial),
        (Partial, Point),
        (dict, Point),
        (dict[str, Any], Point),
        (list, list[int]),
        (tuple[int, ...], list[int]),
        (set[int], list[int]),
        (Point, Model),
        (Model, Point),
        (str, Lenient),
        (Tree, Tree),
        (dict[str, int], dict[str, float]),
        (Point, dict[str, int]),
    ],
)
def test_compatible_types(source, target):
    assert explain_mismatch(source, target) == ""


@step
async def texts(n: int) -> list[str]:
    return [str(n)]


@step
async def length(text: str) -> int:
    return len(text)


@tool
def strict(a: int) -> str:
    return str(a)


@pytest.mark.parametrize(
    ("describe", "words"),
    [
        (lambda: Workflow("w").then(add_one).then(length), ["'add_one'", "'length'"]),
        (lambda: Workflow("w", input=str).then(add_one), ["workflow 'w'", "'add_one'"]),
        (lambda: Workflow("w").then(add_one).parallel(double, length), ["'add_one'", "'length'"]),
        (
            lambda: Workflow("w").parallel(add_one, double).then(length),
            ["'add_one' and step 'double'", "'length'", "object is not string"],
        ),
        (lambda: Workflow("w").then(add_one).foreach(double), ["'add_one'", "'double'", "array"]),
        (lambda: Workflow("w").then(texts).foreach(double), ["'texts'", "'double'", "[]"]),
        (lambda: Workflow("w").foreach(texts).then(length), ["'texts'", "'length'"]),
        (lambda: Workflow("w").dowhile(texts, bool), ["'texts'", "repeated"]),
        (lambda: Workflow("w").dowhile(add_one, long), ["'add_one'", "condition"]),
        (lambda: Workflow("w").then(add_one).branch((long, double)), ["condition", "'double'"]),
        (lambda: Workflow("w").then(add_one).map(long), ["'add_one'", "'mapping_1'"]),
        (lambda: Workflow("w").then(add_one).sleep(long), ["'add_one'", "sleep 'sleep_1'"]),
        (lambda: Workflow("w").then(add_one).sleep(1).then(length), ["'add_one'", "'length'"]),
        (lambda: Workflow("w").then(length).then(strict), ["'length'", "'strict'"]),
        (
            lambda: Workflow("w").then(Workflow("inner").then(add_one)).then(length),
            ["'inner'", "'length'"],
        ),
        (lambda: Mastra(workflows={"w": Workflow("w", output=str).then(add_one)}), ["'add_one'"]),
    ],
)
def test_type_error_names_both_steps(describe, words):
    with pytest.raises(ConfigError) as caught:
        describe()
    for word in words:
        assert word in caught.value.message, caught.value.message
    assert ".map()" in caught.value.hint


def long(text: str) -> bool:
    return len(text) > 10


def test_unknown_types_are_accepted():
    @step
    async def anything(context: StepContext) -> Any:
        return context.init_data

    workflow = Workflow("w").then(add_one).then(anything).then(length).map(lambda n: n)
    workflow.then(as_step(length, id="again")).branch((lambda n: n > 1, double)).map(lambda n: n)


def test_workflow_schemas():
    workflow = Workflow("w").foreach(add_one).sleep(1)
    assert workflow.input_schema == {"type": "array", "items": {"type": "integer"}}
    assert workflow.output_schema == {"type": "array", "items": {"type": "integer"}}
    both = Workflow("w").parallel(add_one, texts).output_schema
    assert both["required"] == ["add_one", "texts"]
    assert Workflow("w").branch((long, length)).output_schema["required"] == []
    assert Workflow("w").map(lambda n: n).output_schema is None
