"""The description of a workflow: what is executed in which order, and on what."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Generic, Literal, overload

from mastra_core.errors import ConfigError
from mastra_core.schema import to_json_schema
from mastra_core.workflows.model.function import inspect_function
from mastra_core.workflows.model.nodes import Branch, ForEach, Loop, Node, Parallel, Single, Sleep
from mastra_core.workflows.model.retry import Retry, as_retry
from mastra_core.workflows.model.step import In, Out, Step, check_id

if TYPE_CHECKING:
    from typing import Unpack

    from mastra_core.agents.protocol import AgentLike
    from mastra_core.workflows.model import signatures as typed
    from mastra_core.workflows.model.agent_step import Text
    from mastra_core.workflows.model.signatures import Condition, New, Repeated, T

__all__ = ("Workflow",)


@dataclasses.dataclass(frozen=True)
class Workflow(Generic[In, Out]):
    """A workflow; every method gives a new one, so a common beginning can be shared.

    Wherever a step goes, a typed function, an agent, a tool or another workflow goes too.

    :param id: what a caller addresses it by, beside its registration key.
    :param input: type of the input; the first step's where not given.
    :param output: type of the result; the last step's where not given.
    :param state: type of the state that its steps share; any mapping where not given.
    :param retry: when a step that failed is tried again, unless the step has its own policy.
    :param timeout: seconds from start to end, time spent waiting for a person included.
    :raises ConfigError: for an id, policy or timeout that makes no sense.
    """

    id: str
    input: Any = None
    output: Any = None
    description: str = ""
    nodes: tuple[Node, ...] = ()
    state: Any = None
    retry: Retry | int | None = None
    timeout: float | None = None

    if TYPE_CHECKING:  # without an input type, the first step decides

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

    def __post_init__(self) -> None:
        object.__setattr__(self, "retry", as_retry(self.retry))
        if self.timeout is not None and not self.timeout > 0:
            raise ConfigError(
                f"Workflow {self.id!r} has a timeout of {self.timeout!r}.", "Use seconds above 0."
            )

    if TYPE_CHECKING:  # the last overloads compare JSON kinds only

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
        """Execute a step on the output of what went before."""
        return self._append_node(Single(_as_step(next_)))

    def parallel(self, *steps: Any) -> Workflow[In, dict[str, Any]]:
        """Execute steps side by side; takes them one by one or as a list."""
        return self._append_node(Parallel(tuple(map(_as_step, _flat(steps)))))

    def branch(self, *branches: tuple[Condition, Any] | list[Any]) -> Workflow[In, dict[str, Any]]:
        """Execute each step whose condition holds: ``(condition, step)`` pairs.

        A condition is a function, sync or async, of the output of what went before, of a
        ``StepContext``, or of both; where its parameter has a type, it gets an instance of it.
        """
        pairs = _flat(branches)
        if any(not isinstance(pair, tuple | list) or len(pair) != 2 for pair in pairs):  # noqa: PLR2004  # a pair
            raise ConfigError(
                f"A branch of workflow {self.id!r} is not a pair.", "Write (condition, step)."
            )
        conditions, steps = zip(*pairs, strict=True) if pairs else ((), ())
        return self._append_node(
            Branch(tuple(map(inspect_function, conditions)), tuple(map(_as_step, steps)))
        )

    def foreach(self, each: Repeated[New], /, *, concurrency: int = 1) -> Workflow[In, list[New]]:
        """Execute a step for each item of the list that came before; gives the list of outputs.

        :param concurrency: how many items at a time.
        """
        return self._append_node(ForEach(_as_step(each), concurrency))

    def dowhile(self, body: Repeated[New], condition: Condition, /) -> Workflow[In, New]:
        """Execute a step, and again on its own output while the condition holds for that."""
        return self._append_node(Loop(_as_step(body), inspect_function(condition), until=False))

    def dountil(self, body: Repeated[New], condition: Condition, /) -> Workflow[In, New]:
        """Execute a step, and again on its own output until the condition holds for that."""
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
        """Make the next input: by a function of the output before, or field by field.

        :param mapping: a function as for ``branch``; or for each field a step (its output), a
            function, or one of ``{"step": step, "path": "a.b"}``, ``{"input": "a.b"}`` (what the
            workflow was started with), ``{"state": "a"}``, ``{"request_context": "a"}``,
            ``{"value": 1}``.
        :param id: its name; ``mapping_1``, ``mapping_2``, ... by default.
        """
        from mastra_core.workflows.model.mapping import mapping_step

        return self._append_node(Single(mapping_step(mapping, id or self._next("mapping"))))

    def sleep(self, duration: float | Condition, /, *, id: str = "") -> Workflow[In, Out]:
        """Wait for some seconds, or as many as a function says; the output goes on as it is."""
        name = id or self._next("sleep")
        if callable(duration):
            return self._append_node(Sleep(name, function=inspect_function(duration)))
        return self._append_node(Sleep(name, duration=duration))

    def sleep_until(self, moment: dt.datetime | Condition, /, *, id: str = "") -> Workflow[In, Out]:
        """Wait until a moment with a time zone, or the one that a function says."""
        name = id or self._next("sleep")
        if callable(moment):
            return self._append_node(Sleep(name, function=inspect_function(moment), until=True))
        return self._append_node(Sleep(name, moment=moment, until=True))

    def iter_steps(self) -> Iterator[Step[Any, Any]]:
        """Every step, in order of description; those of nested workflows left out."""
        for node in self.nodes:
            yield from node.steps

    def get_step(self, id: str) -> Step[Any, Any]:
        """The step of that id.

        :raises KeyError: when there is none.
        """
        for item in self.iter_steps():
            if item.id == id:
                return item
        raise KeyError(id)

    @functools.cached_property
    def input_type(self) -> Any:
        """The type an input must fit."""
        from mastra_core.workflows.model.type_flow import accepted

        return accepted(self) if self.input is None else self.input

    @functools.cached_property
    def output_type(self) -> Any:
        """The type of the result."""
        from mastra_core.workflows.model.type_flow import produced

        return produced(self) if self.output is None else self.output

    @property
    def input_schema(self) -> dict[str, Any] | None:
        """JSON Schema of the input, where one is known."""
        return _to_json_schema(self.input_type)

    @property
    def output_schema(self) -> dict[str, Any] | None:
        """JSON Schema of the result, where one is known."""
        return _to_json_schema(self.output_type)

    @property
    def state_schema(self) -> dict[str, Any] | None:
        """JSON Schema of the shared state, where one is known."""
        return _to_json_schema(Any if self.state is None else self.state)

    def check(self) -> None:
        """Whether the last step can give what ``output`` says; done when it is registered.

        :raises ConfigError: naming both.
        """
        from mastra_core.workflows.model.type_flow import check_result

        check_result(self)

    def build_graph(self) -> list[dict[str, Any]]:
        """The order of the steps as JSON builtins, in the words of the original."""
        from mastra_core.workflows.render.graph import build_graph

        return build_graph(self)

    def draw(self, form: Literal["mermaid", "svg"] = "mermaid") -> str:
        """The order of the steps as a Mermaid flowchart or an SVG picture."""
        if form == "svg":
            from mastra_core.workflows.render.svg import render_svg as render
        else:
            from mastra_core.workflows.render.mermaid import render_mermaid as render
        return render(self)

    def _append_node(self, node: Node) -> Workflow[In, Any]:
        from mastra_core.workflows.model.type_flow import check_next

        if not node.steps and not isinstance(node, Sleep):
            raise ConfigError(f"Workflow {self.id!r} has an empty group.", "Give it a step.")
        seen = {*_names(self.nodes)}
        for name in _names((node,)):
            check_id("step", name)
            if name in seen:
                raise ConfigError(
                    f"Workflow {self.id!r} has two steps called {name!r}.",
                    "Give one another id: as_step(it, id='...').",
                )
            seen.add(name)
        check_next(self, node)
        return dataclasses.replace(self, nodes=(*self.nodes, node))

    def _next(self, what: str) -> str:
        taken = {*_names(self.nodes)}
        number = 1 + sum(name.startswith(f"{what}_") for name in taken)
        while f"{what}_{number}" in taken:
            number += 1
        return f"{what}_{number}"


def _names(nodes: tuple[Node, ...]) -> Iterator[str]:
    for node in nodes:
        yield from (item.id for item in node.steps)
        if isinstance(node, Sleep):
            yield node.id


def _as_step(value: Any) -> Step[Any, Any]:
    if isinstance(value, Step):
        return value
    from mastra_core.workflows.model.coerce_step import as_step  # it knows workflows too

    return as_step(value)


def _flat(items: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(items[0]) if len(items) == 1 and isinstance(items[0], list) else items


def _to_json_schema(type_: Any) -> dict[str, Any] | None:
    return (None if type_ is Any else to_json_schema(type_)) or None
