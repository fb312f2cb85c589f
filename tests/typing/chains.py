"""Steps and workflows that type checkers must accept; the module is imported, so they also build."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import uuid
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, TypedDict, assert_type

import msgspec
import pydantic

from mastra_core import Agent, Retry, Step, StepContext, ToolContext, Workflow, as_step, step, tool
from mastra_core.workflows.model.agent_step import Text
from mastra_core.workflows.model.signatures import NoSteps

# --- Functions that may become a step


@step
def double(number: int) -> int:
    return 2 * number


@step
async def plus_one(number: int) -> int:
    return number + 1


@step
async def forget(number: int) -> None: ...


@step
def with_context(number: int, context: StepContext) -> str:
    assert_type(context.output(double), int)
    assert_type(context.output("double"), Any)
    return f"{number} in {context.run_id}"


@step
async def context_first(ctx: StepContext, number: int) -> str:
    return f"{number} in {ctx.run_id}"


@step
async def context_by_keyword(number: int, *, context: StepContext) -> str:
    return f"{number} in {context.run_id}"


@step
async def context_only(context: StepContext) -> str:
    return context.run_id


@step
async def nothing() -> str:
    return "text"


@step
def anything(value: Any) -> str:
    return str(value)


@step
def anything_with_context(value: Any, context: StepContext) -> str:
    return f"{value} in {context.run_id}"


@step
def context_before_anything(context: StepContext, value: Any) -> str:
    return f"{value} in {context.run_id}"


@step
async def with_own_default(number: int | None, factor: int = 2) -> int | None:
    return None if number is None else factor * number


@step
def input_with_default(number: int = 1) -> int:
    return number


@step(id="other-id", retry=3)
async def with_arguments(number: int) -> str | None:
    return str(number)


class Decision(TypedDict):
    go: bool


@step(resume=Decision, suspend=dict, retry=Retry(count=3), timeout=10)
def confirm(total: float, context: StepContext) -> str:
    if context.resume_data is None:
        context.suspend({"question": f"Pay {total}?"})
    return "paid" if context.resume_data["go"] else "dropped"


def untouched(number: int) -> str:
    return str(number)


assert_type(double, Step[int, int])
assert_type(plus_one, Step[int, int])
assert_type(forget, Step[int, None])
assert_type(with_context, Step[int, str])
assert_type(context_first, Step[int, str])
assert_type(context_by_keyword, Step[int, str])
assert_type(context_only, Step[Any, str])
assert_type(nothing, Step[Any, str])
assert_type(anything, Step[Any, str])
assert_type(anything_with_context, Step[Any, str])
assert_type(context_before_anything, Step[Any, str])
assert_type(with_own_default, Step[int | None, int | None])
assert_type(input_with_default, Step[int, int])
assert_type(with_arguments, Step[int, str | None])
assert_type(confirm, Step[float, str])
assert_type(step(lambda: 1), Step[Any, int])
assert_type(step(untouched), Step[int, str])
assert_type(step(id="named")(untouched), Step[int, str])

# --- Tools


@tool
def find(text: str, limit: int = 10) -> list[str]:
    """Find books."""
    return [text] * limit


@tool(id="ask-user", requires_approval=True)
async def ask(text: str, context: ToolContext) -> str:
    """Ask the user."""
    return f"{text} in {context.run_id}"


assert_type(find("Emma", limit=2), list[str])
assert_type(find.function("Emma"), list[str])


async def call_tools() -> None:
    assert_type(await ask("When?", ToolContext()), str)
    assert_type(await find.execute({"text": "Emma"}), Any)


# --- Chains

assert_type(Workflow("w"), Workflow[Any, NoSteps])
assert_type(Workflow("w").then(double), Workflow[int, int])
assert_type(Workflow("w").then(double).then(with_context), Workflow[int, str])
assert_type(Workflow("w").then(double).then(with_own_default), Workflow[int, int | None])
assert_type(Workflow("w").then(nothing), Workflow[Any, str])
assert_type(Workflow("w").then(double).then(nothing), Workflow[int, str])
assert_type(Workflow("w").then(forget).then(with_own_default), Workflow[int, int | None])
assert_type(Workflow("w").then(double).then(confirm), Workflow[int, str])
assert_type(Workflow("w", input=int).then(double), Workflow[int, int])
assert_type(Workflow("w", input=int | None, output=str).then(with_context), Workflow[Any, str])
assert_type(Workflow("w", input=dict[str, Any], retry=1), Workflow[dict[str, Any], dict[str, Any]])

inner = Workflow("inner").then(double).then(with_context)
assert_type(Workflow("w").then(plus_one).then(inner), Workflow[int, str])
assert_type(Workflow("w").then(double).sleep(1).sleep(lambda n: n / 10), Workflow[int, int])
assert_type(Workflow("w").then(double).dowhile(plus_one, lambda n: n < 9), Workflow[int, int])
assert_type(
    Workflow("w").then(double).dountil(plus_one, lambda n, context: context.iteration > n),
    Workflow[int, int],
)

# Groups: what comes out is known, what goes in is compared when the workflow is described.
assert_type(Workflow("w").then(double).parallel(confirm, plus_one), Workflow[int, dict[str, Any]])
assert_type(Workflow("w").then(double).parallel([confirm, plus_one]), Workflow[int, dict[str, Any]])
assert_type(
    Workflow("w").then(double).branch((lambda n: n > 0, plus_one), (lambda n: n < 0, confirm)),
    Workflow[int, dict[str, Any]],
)
assert_type(Workflow("w").foreach(double, concurrency=2), Workflow[Any, list[int]])
assert_type(Workflow("w").then(double).map(lambda: "text"), Workflow[int, str])
assert_type(Workflow("w").then(double).map(lambda n: n / 2), Workflow[int, Any])
assert_type(Workflow("w").then(double).map(with_context.function), Workflow[int, Any])
assert_type(
    Workflow("w")
    .then(double)
    .map(
        {
            "step": double,
            "path": {"step": "double"},
            "city": {"input": ""},
            "count": lambda prices: len(prices) - 1,
        }
    ),
    Workflow[int, dict[str, Any]],
)

# Whatever goes where a step goes.
agent = Agent(name="writer", model="test")
assert_type(Workflow("w").then(nothing).then(agent), Workflow[Any, Text])
assert_type(Workflow("w").then(agent).then(find), Workflow[Any, list[str]])
assert_type(Workflow("w").then(agent).then(ask), Workflow[Any, str])
assert_type(Workflow("w").then(double).then(untouched), Workflow[int, str])
assert_type(Workflow("w").foreach(untouched), Workflow[Any, list[Any]])
assert_type(as_step(double, id="twice"), Step[int, int])
assert_type(as_step(inner, id="nested", retry=2), Step[int, str])
assert_type(as_step(find, timeout=10), Step[Any, list[str]])
assert_type(as_step(ask), Step[Any, str])
assert_type(as_step(untouched), Step[Any, str])
assert_type(as_step(agent), Step[Any, Text])
assert_type(as_step(agent, output={"type": "object"}), Step[Any, Any])


def extend(workflow: Workflow) -> Workflow:
    """Annotations need no type arguments."""
    assert_type(workflow, Workflow[Any, Any])
    return workflow.then(double)


# --- Values travel as JSON: types of one kind follow one another


@dataclasses.dataclass
class Point:
    x: int


class PointDict(TypedDict):
    x: int


class PointStruct(msgspec.Struct):
    x: int


class PointModel(pydantic.BaseModel):
    x: int


class Pair(NamedTuple):
    first: int
    second: int


class Colour(enum.Enum):
    RED = "red"


@step
def point(value: Point) -> Point:
    return value


@step
def point_dict(value: PointDict) -> PointDict:
    return value


@step
def point_struct(value: PointStruct) -> PointStruct:
    return value


@step
def point_model(value: PointModel) -> PointModel:
    return value


@step
def mapping(value: dict[str, int]) -> dict[str, int]:
    return value


@step
def optional_point(value: PointStruct | None) -> PointStruct | None:
    return value


@step
def integers(values: list[int]) -> list[int]:
    return values


@step
def numbers(values: Sequence[float]) -> Sequence[float]:
    return values


@step
def several(values: tuple[int, ...]) -> tuple[int, ...]:
    return values


@step
def distinct(values: set[int]) -> set[int]:
    return values


@step
def pair(values: tuple[int, int]) -> tuple[int, int]:
    return values


@step
def named_pair(values: Pair) -> Pair:
    return values


@step
def points(values: list[Point]) -> list[Point]:
    return values


@step
def point_dicts(values: list[PointDict]) -> list[PointDict]:
    return values


@step
def text(value: str) -> str:
    return value


@step
def moment(value: dt.datetime) -> dt.datetime:
    return value


@step
def unique(value: uuid.UUID) -> uuid.UUID:
    return value


@step
def colour(value: Colour) -> Colour:
    return value


@step
def red(value: Literal["red"]) -> Literal["red"]:
    return value


@step
def real(value: float) -> float:
    return value


objects = (
    Workflow("objects")
    .then(point)
    .then(point_dict)
    .then(point_struct)
    .then(point_model)
    .then(mapping)
    .then(as_step(point, id="again"))
    .then(optional_point)
)
arrays = (
    Workflow("arrays")
    .then(integers)
    .then(several)
    .then(distinct)
    .then(pair)
    .then(named_pair)
    .then(as_step(integers, id="again"))
    .then(numbers)
)
nested = Workflow("nested").then(points).then(point_dicts).then(as_step(points, id="again"))
moments = Workflow("moments").then(moment).then(text).then(as_step(moment, id="again"))
ids = Workflow("ids").then(unique).then(text).then(as_step(unique, id="again"))
colours = Workflow("colours").then(colour).then(text).then(red).then(as_step(colour, id="again"))
reals = Workflow("reals").then(double).then(plus_one).then(real)
groups = Workflow("groups").then(double).parallel(plus_one, input_with_default).then(mapping)
branches = Workflow("branches").branch((lambda n: n > 0, plus_one)).then(mapping)

assert_type(objects, Workflow[Point, PointStruct | None])
assert_type(arrays, Workflow[list[int], Sequence[float]])
assert_type(nested, Workflow[list[Point], list[Point]])
assert_type(moments, Workflow[dt.datetime, dt.datetime])
assert_type(ids, Workflow[uuid.UUID, uuid.UUID])
assert_type(colours, Workflow[Colour, Colour])
assert_type(reals, Workflow[int, float])
assert_type(groups, Workflow[int, dict[str, int]])
assert_type(branches, Workflow[Any, dict[str, int]])

# Run with these inputs, they succeed: what the checkers let through here is no mismatch.
RUNS = (
    (objects, {"x": 1}),
    (arrays, [1, 2]),
    (nested, [{"x": 1}]),
    (moments, "2026-01-01T12:00:00Z"),
    (ids, "12345678-1234-5678-1234-567812345678"),
    (colours, "red"),
    (reals, 1),
    (groups, 1),
    (branches, 1),
)
