"""Chains that type checkers must refuse; each function is called, to see them refused there too.

Most raise ConfigError. Some types may fit for all that can be known beforehand; those functions
return a workflow and an input, and the run fails.

The ignores say which error is expected: a checker reports those that are not needed.
"""

from __future__ import annotations

from mastra_core import StepContext, Workflow, as_step, step
from tests.typing.chains import (
    double,
    find,
    forget,
    integers,
    named_pair,
    optional_point,
    plus_one,
    point,
    point_dict,
    points,
    real,
    text,
)

INNER = Workflow("inner").then(text)


def a_number_is_no_text() -> None:
    Workflow("w").then(double).then(text)  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]  # the mistake


def a_text_is_no_number() -> None:
    Workflow("w").then(text).then(double)  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]  # the mistake


def an_object_is_no_number() -> None:
    Workflow("w").then(point).then(double)  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]  # the mistake


def a_number_is_no_object() -> None:
    Workflow("w").then(double).then(point)  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]  # the mistake


def a_text_is_no_array() -> None:
    Workflow("w").then(text).then(integers)  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]  # the mistake


def an_array_is_no_text() -> None:
    Workflow("w").then(named_pair).then(text)  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]  # the mistake


def an_array_is_no_item() -> None:
    Workflow("w").then(points).then(point)  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]  # the mistake


def an_object_is_no_array() -> None:
    Workflow("w").then(point_dict).then(points)  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]  # the mistake


def none_is_no_number() -> None:
    Workflow("w").then(forget).then(double)  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]  # the mistake


def a_nested_workflow_takes_another_type() -> None:
    Workflow("w").then(double).then(INNER)  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]  # the mistake


def a_step_of_another_id_takes_another_type() -> None:
    Workflow("w").then(double).then(as_step(text, id="t"))  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]  # the mistake


def a_tool_returns_another_type() -> None:
    Workflow("w").then(find).then(text)  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]  # the mistake


def the_input_has_another_type() -> None:
    Workflow("w", input=str).then(double)  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]  # the mistake


def a_group_gives_an_object() -> None:
    Workflow("w").parallel(double, plus_one).then(as_step(double, id="again"))  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]  # the mistake


def a_loop_gives_a_list() -> None:
    Workflow("w").foreach(double).then(plus_one)  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]  # the mistake


def a_number_is_no_step() -> None:
    Workflow("w").then(3)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]  # the mistake


def a_text_is_no_condition() -> None:
    Workflow("w").then(double).dowhile(plus_one, "n < 9")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # the mistake


def a_step_takes_one_input() -> None:
    def add(one: int, other: int) -> int:
        return one + other

    step(add)  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]  # the mistake


def a_step_takes_one_input_beside_its_context() -> None:
    def add(one: int, other: int, context: StepContext) -> int:
        return one + other + context.attempt

    step(retry=1)(add)  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]  # the mistake


def a_real_number_is_no_integer() -> tuple[Workflow, float]:
    return Workflow("w").then(real).then(double), 2.0  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType, reportUnknownVariableType]  # the mistake


def an_object_may_be_missing() -> tuple[Workflow, None]:
    return Workflow("w").then(optional_point).then(point), None  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType, reportUnknownVariableType]  # the mistake
