"""The data of a workflow: its steps, and its nodes in order.

The classes of workflows, nodes and steps are in one module, because they refer to each other:
workflows contain nodes, nodes contain steps, and a step may contain a nested workflow.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Generic, Literal, TypedDict

from mastra_core.arguments.argument_types import check_types, require_instance
from mastra_core.arguments.number_checks import check_count, check_seconds
from mastra_core.errors import ConfigError, NotFound
from mastra_core.schema import dump, to_json_schema
from mastra_core.worker_thread import run_function
from mastra_core.workflows.model.function import Function
from mastra_core.workflows.model.node_index import NodeIndex
from mastra_core.workflows.model.retry import Retry, as_retry
from mastra_core.workflows.model.step_context import StepContext
from mastra_core.workflows.model.type_variables import In, Out, TypedOutput

if TYPE_CHECKING:
    from typing import Self

    from mastra_core.workflows.model.schedule import Schedule

__all__ = (
    "Branch",
    "ForEach",
    "Loop",
    "Node",
    "Parallel",
    "Single",
    "Sleep",
    "Step",
    "WorkflowDefinition",
    "check_id",
    "get_input_type",
    "get_output_type",
)

_RESERVED = ".[]#@!?"  # separators in the paths and journal keys of steps


@dataclasses.dataclass(frozen=True, kw_only=True)
class Step(TypedOutput[Out], Generic[In, Out]):
    """One step of a workflow.

    :param id: the id, unique within a workflow.
    :param call: the function, and the arguments that it takes.
    :param description: the description.
    :param input: the type of the input; ``Any`` if the function takes none.
    :param output: the type of the output.
    :param resume: the type of the data that ``resume`` must pass.
    :param suspend: the type of the payload of ``suspend``.
    :param retry: the retry policy; by default, the retry policy of the workflow.
    :param timeout: the seconds that one attempt may take.
    :param workflow: the nested workflow that is executed instead of ``call``.
    :param child: the workflow that the step starts as a separate run, instead of executing
        ``call``.
    :param awaits_child: whether the step waits for the end of the run of ``child``.
    :param kind: the kind of object that the step was created from.
    :param source_id: the id of the agent, tool or workflow that the step was created from.
    :param suspends: whether the step is known to have code or a tool that suspends the run.
    """

    id: str
    call: Function
    description: str = ""
    input: Any = Any
    output: Any = Any
    resume: Any = None
    suspend: Any = None
    retry: Retry | None = None
    timeout: float | None = None
    workflow: WorkflowDefinition | None = None
    child: WorkflowDefinition | None = None
    awaits_child: bool = True
    kind: Literal["function", "agent", "tool", "workflow", "mapping", "child"] = "function"
    source_id: str = ""
    suspends: bool = False

    def __post_init__(self) -> None:
        check_id("step", self.id)
        if self.timeout is not None:
            check_seconds(f"The timeout {self.timeout!r} of the step {self.id!r}", self.timeout)
        if self.timeout is not None and self.child is not None:
            raise ConfigError(
                f"The step {self.id!r} starts a separate run, so the step itself cannot have a "
                "timeout.",
                f"Write Workflow({self.source_id!r}, timeout=...).",
            )
        check_types(vars(self), Step.__annotations__)
        require_instance(self.call, Function, "call")
        object.__setattr__(self, "retry", as_retry(self.retry))
        for what in ("input", "output", "resume", "suspend"):
            self.get_schema(what)  # a type without a JSON schema fails here, not in a run

    @property
    def function(self) -> Callable[..., Any]:
        """The function of the step."""
        return self.call.function

    @property
    def can_suspend(self) -> bool:
        """Whether the step, or a step nested in it, has a ``resume`` or ``suspend`` type."""
        inner = self.workflow.iter_steps() if self.workflow is not None else ()
        return (
            self.resume is not None
            or self.suspend is not None
            or any(item.can_suspend for item in inner)
        )

    def list_children(self) -> list[WorkflowDefinition]:
        """Return the workflows that the step, or a step nested in it, starts as child runs."""
        if self.child is not None:
            return [self.child]
        inner = self.workflow.iter_steps() if self.workflow is not None else ()
        return [child for step in inner for child in step.list_children()]

    async def execute(self, value: Any, context: StepContext | None = None) -> Any:
        """Validate the input, call the function, and return its output as JSON builtins.

        A plain function runs in a worker thread, so that it does not block the event loop.

        :param value: the input.
        :param context: the context; optional if the function takes none.
        :raises InvalidInput: when ``value`` does not fit the type of the input.
        """
        bound = self.call.bind(value, context, f"step {self.id!r}")
        return dump(await run_function(bound, is_async=self.call.awaits))

    def get_schema(self, what: str) -> dict[str, Any] | None:
        """Return the JSON Schema of a declared type, or ``None`` for an undeclared type.

        :param what: ``input``, ``output``, ``resume`` or ``suspend``.
        """
        type_ = getattr(self, what)
        return None if type_ is None or type_ is Any else to_json_schema(type_)


@dataclasses.dataclass(frozen=True)
class Single:
    """One step.

    :param step: the step.
    """

    step: Step[Any, Any]

    @property
    def steps(self) -> tuple[Step[Any, Any], ...]:
        """The steps of the node."""
        return (self.step,)


@dataclasses.dataclass(frozen=True)
class Parallel:
    """Steps that run concurrently on the same input; the output maps step ids to outputs.

    :param steps: the steps.
    """

    steps: tuple[Step[Any, Any], ...]


@dataclasses.dataclass(frozen=True)
class Branch:
    """Concurrent steps, each with a condition; the output maps step ids to outputs.

    :param conditions: the condition of each step.
    :param steps: the steps.
    """

    conditions: tuple[Function, ...]
    steps: tuple[Step[Any, Any], ...]


@dataclasses.dataclass(frozen=True)
class ForEach(Single):
    """One step that runs for each item of a list; the output is the list of outputs.

    :param step: the step.
    :param concurrency: the maximum number of items at a time.
    """

    concurrency: int = 1

    def __post_init__(self) -> None:
        check_count("concurrency", self.concurrency, least=1)


@dataclasses.dataclass(frozen=True)
class Loop(Single):
    """A step that is repeated, with its last output as the next input.

    :param step: the step.
    :param condition: the condition, which is evaluated after each iteration.
    :param until: whether the loop ends when the condition is true, instead of when it is false.
    """

    condition: Function
    until: bool


@dataclasses.dataclass(frozen=True)
class Sleep:
    """A pause for some seconds or until a moment; its output is the output of the previous node.

    :param id: the id.
    :param duration: the seconds, unless ``function`` or ``moment`` is set.
    :param moment: the time at which the pause ends.
    :param function: returns the duration or the moment.
    :param until: whether the node waits until a moment, instead of for a duration.
    """

    id: str
    duration: float | None = None
    moment: dt.datetime | None = None
    function: Function | None = None
    until: bool = False

    def __post_init__(self) -> None:
        if self.function is not None:
            return
        if self.until and not _is_moment(self.moment):
            raise ConfigError(
                f"The end {self.moment!r} of the sleep {self.id!r} is not a datetime with a time "
                "zone.",
                "Pass a datetime with a time zone: datetime.now(UTC) + timedelta(hours=1).",
            )
        if not self.until:
            what = f"The duration {self.duration!r} of the sleep {self.id!r}"
            check_seconds(what, self.duration, allows_zero=True)

    @property
    def steps(self) -> tuple[Step[Any, Any], ...]:
        """The steps of the node; a pause has none."""
        return ()


Node = Single | Parallel | Branch | ForEach | Loop | Sleep


@dataclasses.dataclass(frozen=True)
class WorkflowDefinition(Generic[In, Out]):
    """The data of a workflow; ``Workflow`` documents its fields, and adds methods."""

    id: str
    input: Any = None
    output: Any = None
    description: str = ""
    nodes: tuple[Node, ...] = ()
    state: Any = None
    retry: Retry | int | None = None
    timeout: float | None = None
    durable: bool = False
    version: str = ""
    previous: tuple[WorkflowDefinition, ...] = ()
    concurrency: int | None = None
    schedule: Any = None

    def __post_init__(self) -> None:
        check_name("workflow", self.id)
        object.__setattr__(self, "retry", as_retry(self.retry))
        object.__setattr__(self, "previous", _as_previous(self.id, self.previous))
        if self.concurrency is not None:
            check_count("concurrency", self.concurrency, least=1)
            object.__setattr__(self, "durable", True)
        if self.schedule is not None:
            from mastra_core.workflows.model.schedule import as_schedules

            object.__setattr__(self, "schedule", as_schedules(self.schedule))
            object.__setattr__(self, "durable", True)
        if self.timeout is not None:
            check_seconds(f"The timeout {self.timeout!r} of the workflow {self.id!r}", self.timeout)
        check_types(vars(self), WorkflowDefinition.__annotations__)
        _check_nodes(self.nodes)
        if not self.nodes:  # the types of a workflow with nodes were checked before
            for type_ in (self.input, self.output, self.state):
                _to_json_schema(Any if type_ is None else type_)
        if self.index.starts_children:
            object.__setattr__(self, "durable", True)

    @functools.cached_property
    def index(self) -> NodeIndex:
        """The ids, the depth and the number of the steps."""
        index = NodeIndex()
        for node in self.nodes:
            index = index.extend(self.id, node)
        return index

    def append_node(self, node: Node) -> Self:
        """Return a copy with one more node, without another look at the other nodes.

        :param node: the node.
        :raises ConfigError: when the value is not a node, or the workflow becomes too large.
        """
        _check_nodes((node,))
        index = self.index.extend(self.id, node)
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        values |= {"nodes": (*self.nodes, node), "durable": self.durable or index.starts_children}
        following = object.__new__(type(self))  # the other values were checked before
        vars(following).update(values, index=index)
        return following

    @property
    def schedules(self) -> tuple[Schedule, ...]:
        """The schedules."""
        return self.schedule or ()

    def iter_steps(self) -> Iterator[Step[Any, Any]]:
        """Yield the steps in order, except steps of nested workflows."""
        for node in self.nodes:
            yield from node.steps

    def get_step(self, id: str) -> Step[Any, Any]:
        """Return the step with an id.

        :param id: the id.
        :raises NotFound: when there is no such step.
        """
        for step in self.iter_steps():
            if step.id == id:
                return step
        raise NotFound(
            f"The workflow {self.id!r} has no step {id!r}.",
            f"It has the steps {', '.join(each.id for each in self.iter_steps()) or 'none'}.",
        )

    @functools.cached_property
    def input_type(self) -> Any:
        """The type of the input."""
        return get_input_type(self) if self.input is None else self.input

    @functools.cached_property
    def output_type(self) -> Any:
        """The type of the result."""
        return get_output_type(self) if self.output is None else self.output

    @property
    def input_schema(self) -> dict[str, Any] | None:
        """The JSON Schema of the input, or ``None`` if the input's type is unknown."""
        return _to_json_schema(self.input_type)

    @property
    def output_schema(self) -> dict[str, Any] | None:
        """The JSON Schema of the result, or ``None`` if the result's type is unknown."""
        return _to_json_schema(self.output_type)

    @property
    def state_schema(self) -> dict[str, Any] | None:
        """The JSON Schema of the shared state, or ``None`` if the state has no type."""
        return _to_json_schema(Any if self.state is None else self.state)


def get_input_type(workflow: WorkflowDefinition) -> Any:
    """Return the input type of the first step.

    :param workflow: the workflow.
    """
    first = next((node for node in workflow.nodes if node.steps), None)
    if first is None:
        return Any
    type_ = first.steps[0].input
    return list[type_] if isinstance(first, ForEach) else type_  # type: ignore[valid-type]  # built at run time


def get_output_type(workflow: WorkflowDefinition) -> Any:
    """Return the output type of the last step.

    :param workflow: the workflow.
    """
    last = workflow.index.last
    return Any if last is None else _get_node_output_type(last)


def _get_node_output_type(node: Node) -> Any:
    match node:
        case Parallel() | Branch():
            fields = {step.id: step.output for step in node.steps}
            return TypedDict("object", fields, total=isinstance(node, Parallel))  # type: ignore[operator]  # the fields have names at run time only
        case ForEach():
            return list[node.step.output]  # type: ignore[name-defined]  # built at run time
        case Single():
            return node.step.output
    return Any


def check_id(what: str, id_: str) -> None:
    """Check that an id can be part of paths and journal keys.

    :param what: the kind of object, for the message: ``step``.
    :param id_: the id.
    :raises ConfigError: when the id is not a text of visible characters, or contains a reserved
        character.
    """
    check_name(what, id_)
    if any(character in _RESERVED for character in id_):
        raise ConfigError(
            f"The id {id_!r} of a {what} contains one of {' '.join(_RESERVED)}",
            "Set another id: id='...'.",
        )


def check_name(what: str, id_: object) -> None:
    """Check that an id can be stored and shown.

    :param what: the kind of object, for the message: ``workflow``.
    :param id_: the id.
    :raises ConfigError: when the id is not a text of visible characters.
    """
    if not isinstance(id_, str) or not id_ or not id_.isprintable():
        raise ConfigError(
            f"The id {id_!r} of a {what} is not text, is empty, or contains invisible characters.",
            "Set another id: id='...'.",
        )


def _as_previous(id_: str, value: Any) -> tuple[WorkflowDefinition, ...]:
    """Check that all values are earlier descriptions of a workflow, and return them."""
    previous = tuple(value) if isinstance(value, Iterable) else (value,)
    for each in previous:
        if not isinstance(each, WorkflowDefinition) or each.id != id_:
            name = each.id if isinstance(each, WorkflowDefinition) else each
            raise ConfigError(
                f"{name!r} is not an earlier version of the workflow {id_!r}.",
                "Pass only workflows with the same id, such as previous=[order_v1].",
            )
    return previous


def _check_nodes(nodes: tuple[Node, ...]) -> None:
    for node in nodes:
        if not isinstance(node, Node):
            raise ConfigError(
                f"{node!r} is not a node of a workflow.", "Add steps with methods such as then."
            )


def _is_moment(value: object) -> bool:
    return isinstance(value, dt.datetime) and value.tzinfo is not None


def _to_json_schema(type_: Any) -> dict[str, Any] | None:
    return (None if type_ is Any else to_json_schema(type_)) or None
