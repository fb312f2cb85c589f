"""Workflows: their nodes in order, and the types of input, output and state."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, overload

from mastra_core.errors import ConfigError
from mastra_core.workflows.model.definition import (
    Branch,
    ForEach,
    Loop,
    Node,
    Parallel,
    Single,
    Sleep,
    Step,
    WorkflowDefinition,
    check_id,
)
from mastra_core.workflows.model.function import inspect_function
from mastra_core.workflows.model.node_index import list_ids
from mastra_core.workflows.model.type_variables import In, Out

if TYPE_CHECKING:
    from typing import Unpack

    from mastra_core.agents.protocol import AgentLike
    from mastra_core.workflows.model import signatures as typed
    from mastra_core.workflows.model.agent_step import Text
    from mastra_core.workflows.model.signatures import Condition, New, Repeated, T

__all__ = ("Workflow", "require_workflow")


@dataclasses.dataclass(frozen=True)
class Workflow(WorkflowDefinition[In, Out]):
    """A workflow. Each method returns a new workflow, so two workflows can have the same start.

    A parameter for a step also accepts a typed function, an agent, a tool or another workflow.

    :param id: the id; callers can also use the registration key.
    :param input: the type of the input; by default, the input type of the first step.
    :param output: the type of the result; by default, the output type of the last step.
    :param description: the description.
    :param nodes: the nodes; methods such as ``then`` append nodes.
    :param state: the type of the state that the steps share; any mapping by default.
    :param retry: the retry policy, or the number of retries, for steps without their own.
    :param timeout: the maximum time from the start of a run to its end, in seconds. The time for
        which a run is suspended counts toward the timeout.
    :param durable: whether the runs are kept in a database, even if those of other workflows are
        kept in memory.
    :param version: part of the fingerprint; change it if the old runs must not continue with the
        new functions.
    :param previous: earlier descriptions of the workflow, with which its old durable runs continue.
    :param concurrency: the maximum number of runs at a time, over all processes that share the
        database. Further runs wait. A workflow with this setting is durable.
    :param schedule: when runs start by themselves: a cron expression, a ``Schedule``, or several of
        them. A workflow with a schedule is durable.
    :raises ConfigError: for an argument of the wrong type, a number out of its range, an invalid
        schedule, or a type whose values JSON cannot express.
    """

    if TYPE_CHECKING:  # without an input type, the first step determines the types

        @overload
        def __init__(
            self: Workflow[Any, typed.NoSteps], id: str, **options: Unpack[typed.WorkflowOptions]
        ) -> None: ...
        @overload
        def __init__(
            self: Workflow[T, T], id: str, input: type[T], **options: Unpack[typed.WorkflowOptions]
        ) -> None: ...
        @overload
        def __init__(
            self: Workflow[Any, Any], id: str, input: Any, **options: Unpack[typed.WorkflowOptions]
        ) -> None: ...
        def __init__(self, *args: Any, **kwargs: Any) -> None: ...

    if TYPE_CHECKING:  # the last overloads compare only the kinds of JSON values

        @overload
        def then(self, next_: AgentLike, /) -> Workflow[In, Text]: ...
        @overload
        def then(self, next_: Callable[..., Awaitable[New]], /) -> Workflow[In, New]: ...
        @overload
        def then(self, next_: Callable[..., New], /) -> Workflow[In, New]: ...
        @overload
        def then(self, next_: typed.Following[Out, New], /) -> Workflow[In, New]: ...
        @overload
        def then(
            self: Workflow[Any, typed.NoSteps], next_: typed.Following[T, New], /
        ) -> Workflow[T, New]: ...
        @overload
        def then(self, next_: typed.Following[None, New], /) -> Workflow[In, New]: ...
        @overload
        def then(
            self: Workflow[In, typed.JsonObject], next_: typed.Following[typed.AnyObject, New], /
        ) -> Workflow[In, New]: ...
        @overload
        def then(
            self: Workflow[In, typed.JsonArray], next_: typed.Following[typed.AnyArray, New], /
        ) -> Workflow[In, New]: ...
        @overload
        def then(
            self: Workflow[In, typed.JsonText], next_: typed.Following[typed.AnyText, New], /
        ) -> Workflow[In, New]: ...

    def then(self, next_: Any, /) -> Workflow[Any, Any]:
        """Append a step that gets the previous output.

        :param next_: the step.
        """
        return self._append_node(Single(_as_step(next_)))

    def parallel(self, *steps: Any) -> Workflow[In, dict[str, Any]]:
        """Append steps that run concurrently on the previous output.

        The output maps the id of each step to its output.

        :param steps: the steps, or one list of them.
        """
        return self._append_node(Parallel(tuple(map(_as_step, _flatten(steps)))))

    def branch(self, *branches: tuple[Condition, Any] | list[Any]) -> Workflow[In, dict[str, Any]]:
        """Append steps with conditions; steps whose condition is true run concurrently.

        A condition is a sync or async function that takes the previous output, a ``StepContext``,
        or both. If the parameter of a condition has a type, the condition gets an instance of that
        type. The output maps the id of each executed step to its output.

        :param branches: ``(condition, step)`` pairs, or one list of them.
        """
        pairs = _flatten(branches)
        if any(not isinstance(pair, tuple | list) or len(pair) != 2 for pair in pairs):  # noqa: PLR2004  # a pair
            raise ConfigError(
                f"A branch in the workflow {self.id!r} is not a (condition, step) pair.",
                "Pass (condition, step).",
            )
        conditions, steps = zip(*pairs, strict=True) if pairs else ((), ())
        return self._append_node(
            Branch(tuple(map(inspect_function, conditions)), tuple(map(_as_step, steps)))
        )

    def foreach(self, each: Repeated[New], /, *, concurrency: int = 1) -> Workflow[In, list[New]]:
        """Append a step that runs once for each item of the previous output, which is a list.

        The output of the node is the list of the step's outputs.

        :param each: the step.
        :param concurrency: the maximum number of items at a time.
        """
        return self._append_node(ForEach(_as_step(each), concurrency))

    def dowhile(self, body: Repeated[New], condition: Condition, /) -> Workflow[In, New]:
        """Append a step that is repeated with its last output as input, while a condition is true.

        :param body: the step; it is executed at least once.
        :param condition: a function that gets the output of the step; see ``branch``.
        """
        return self._append_node(Loop(_as_step(body), inspect_function(condition), until=False))

    def dountil(self, body: Repeated[New], condition: Condition, /) -> Workflow[In, New]:
        """Append a step that is repeated with its last output as input, until a condition is true.

        :param body: the step; it is executed at least once.
        :param condition: a function that gets the output of the step; see ``branch``.
        """
        return self._append_node(Loop(_as_step(body), inspect_function(condition), until=True))

    if TYPE_CHECKING:

        @overload
        def map(
            self, mapping: Mapping[str, typed.Source], /, *, id: str = ""
        ) -> Workflow[In, dict[str, Any]]: ...
        @overload
        def map(self, mapping: typed.AsyncMapper[New], /, *, id: str = "") -> Workflow[In, New]: ...
        @overload
        def map(self, mapping: typed.Mapper[New], /, *, id: str = "") -> Workflow[In, New]: ...
        @overload
        def map(self, mapping: typed.AnyMapper, /, *, id: str = "") -> Workflow[In, Any]: ...

    def map(self, mapping: typed.AnyMapper, /, *, id: str = "") -> Workflow[In, Any]:
        """Append a step that builds a value from the previous output and other values.

        :param mapping: a function that takes the same parameters as a condition of ``branch``; or a
            mapping of each field to a step (for its output), a function, or one of ``{"step": step,
            "path": "a.b"}``, ``{"input": "a.b"}`` (the input of the workflow), ``{"state": "a"}``,
            ``{"request_context": "a"}``, ``{"value": 1}``.
        :param id: the id; ``mapping_1``, ``mapping_2``, ... by default.
        """
        from mastra_core.workflows.model.mapping import create_mapping_step

        return self._append_node(
            Single(create_mapping_step(mapping, id or self._create_id("mapping")))
        )

    def sleep(self, duration: float | Condition, /, *, id: str = "") -> Workflow[In, Out]:
        """Append a pause of some seconds; its output is the output of the previous node.

        :param duration: the seconds, or a function that returns them. The function takes the same
            parameters as a condition of ``branch``.
        :param id: the id; ``sleep_1``, ``sleep_2``, ... by default.
        """
        name = id or self._create_id("sleep")
        if callable(duration):
            return self._append_node(Sleep(name, function=inspect_function(duration)))
        return self._append_node(Sleep(name, duration=duration))

    def sleep_until(self, moment: dt.datetime | Condition, /, *, id: str = "") -> Workflow[In, Out]:
        """Append a pause until a moment; its output is the output of the previous node.

        :param moment: a datetime with a time zone, or a function that returns one. The function
            takes the same parameters as a condition of ``branch``.
        :param id: the id; ``sleep_1``, ``sleep_2``, ... by default.
        """
        name = id or self._create_id("sleep")
        if callable(moment):
            return self._append_node(Sleep(name, function=inspect_function(moment), until=True))
        return self._append_node(Sleep(name, moment=moment, until=True))

    def check(self) -> None:
        """Check the last step's output against the declared ``output``, and check the schedules.

        ``Mastra`` calls this method when the workflow is registered.

        :raises ConfigError: when the types are incompatible, or the input, the state or the context
            of a schedule does not fit.
        """
        from mastra_core.workflows.model.type_flow import check_result

        check_result(self)
        if self.schedules:
            from mastra_core.workflows.model.schedule_checks import check_schedules

            check_schedules(self)

    @functools.cached_property
    def fingerprint(self) -> str:
        """The fingerprint of the structure: the nodes, and the ids and kinds of the steps."""
        from mastra_core.workflows.model.description import compute_fingerprint, describe_workflow

        return compute_fingerprint(describe_workflow(self))

    def build_graph(self) -> list[dict[str, Any]]:
        """Return the graph of the nodes in JSON builtins, in the format of Mastra's HTTP API."""
        from mastra_core.workflows.render.graph import build_graph

        return build_graph(self)

    def draw(self, form: Literal["mermaid", "svg"] = "mermaid") -> str:
        """Render the workflow as a diagram.

        :param form: ``mermaid`` for a Mermaid flowchart, ``svg`` for an SVG picture.
        :raises ConfigError: when ``form`` is neither ``mermaid`` nor ``svg``.
        """
        if form == "svg":
            from mastra_core.workflows.render.svg import render_svg as render
        elif form == "mermaid":
            from mastra_core.workflows.render.mermaid import render_mermaid as render
        else:
            raise ConfigError(
                f"{form!r} is not a format for diagrams.", "Write draw('mermaid') or draw('svg')."
            )
        return render(self)

    def _append_node(self, node: Node) -> Workflow[In, Any]:
        from mastra_core.workflows.model.type_flow import check_next

        if not node.steps and not isinstance(node, Sleep):
            raise ConfigError(
                f"The workflow {self.id!r} has an empty group of parallel or conditional steps.",
                "Add a step to the group.",
            )
        seen = set[str]()
        for name in list_ids(node):
            check_id("step", name)
            if name in self.index.ids or name in seen:
                raise ConfigError(
                    f"The workflow {self.id!r} has two steps with the id {name!r}.",
                    "Set another id for one of the steps, with as_step(step, id='...').",
                )
            seen.add(name)
        check_next(self, node)
        return self.append_node(node)

    def _create_id(self, what: Literal["mapping", "sleep"]) -> str:
        number = 1 + (self.index.mappings if what == "mapping" else self.index.sleeps)
        while f"{what}_{number}" in self.index.ids:
            number += 1
        return f"{what}_{number}"


def _as_step(value: Any) -> Step[Any, Any]:
    if isinstance(value, Step):
        return value
    from mastra_core.workflows.model.coerce_step import as_step  # the module loads agents and tools

    return as_step(value)


def _flatten(items: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(items[0]) if len(items) == 1 and isinstance(items[0], list) else items


def require_workflow(value: Any) -> Workflow[Any, Any]:
    """Return a workflow that can be run.

    :param value: the workflow.
    :raises ConfigError: for any other value, and for a workflow without steps.
    """
    if not isinstance(value, Workflow):
        raise ConfigError(f"{value!r} is not a workflow.", "Write Workflow('id').then(step).")
    if not value.nodes:
        raise ConfigError(f"The workflow {value.id!r} has no steps.", "Add a step: .then(step).")
    value.check()
    return value
