"""The description of a workflow: steps in order, side by side, or by condition."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterator
from typing import Any

from mastra_core.errors import ConfigError
from mastra_core.schema import hints_of, schema_of, validate
from mastra_core.workflows.step import Step, step

__all__ = ("Branch", "Node", "Parallel", "Single", "Workflow")

Condition = Callable[[Any], Any]


@dataclasses.dataclass(frozen=True)
class Single:
    """One step."""

    step: Step[Any, Any]

    @property
    def steps(self) -> tuple[Step[Any, Any], ...]:
        """The steps in it."""
        return (self.step,)


@dataclasses.dataclass(frozen=True)
class Parallel:
    """Steps side by side on the same input; the output maps step id to output."""

    steps: tuple[Step[Any, Any], ...]


@dataclasses.dataclass(frozen=True)
class Branch:
    """Steps whose condition holds, side by side; the output maps step id to output."""

    conditions: tuple[Condition, ...]
    steps: tuple[Step[Any, Any], ...]


Node = Single | Parallel | Branch


@dataclasses.dataclass(frozen=True)
class Workflow:
    """A workflow; every method gives a new one, so a common beginning can be shared.

    :param id: what a caller addresses it by, beside its registration key.
    :param input: type of the input; the first step's where not given.
    :param output: type of the result; the last step's where not given.
    """

    id: str
    input: Any = None
    output: Any = None
    description: str = ""
    nodes: tuple[Node, ...] = ()

    def then(self, next_: Any, /) -> Workflow:
        """Execute a step on the output of what went before."""
        return self._with(Single(_as_step(next_)))

    def parallel(self, *steps: Any) -> Workflow:
        """Execute steps side by side; takes them one by one or as a list."""
        return self._with(Parallel(tuple(map(_as_step, _flat(steps)))))

    def branch(self, *branches: Any) -> Workflow:
        """Execute each step whose condition holds: ``(condition, step)`` pairs.

        A condition is a function, sync or async, of the output of what went before; where its
        parameter has a type, it gets an instance of that type.
        """
        pairs = _flat(branches)
        if any(not isinstance(pair, tuple | list) or len(pair) != 2 for pair in pairs):  # noqa: PLR2004  # a pair
            raise ConfigError(
                f"A branch of workflow {self.id!r} is not a pair.", "Write (condition, step)."
            )
        conditions, steps = zip(*pairs, strict=True) if pairs else ((), ())
        return self._with(Branch(conditions, tuple(map(_as_step, steps))))

    def steps(self) -> Iterator[Step[Any, Any]]:
        """Every step, in order of description."""
        for node in self.nodes:
            yield from node.steps

    def step(self, id: str) -> Step[Any, Any]:
        """The step of that id.

        :raises KeyError: when there is none.
        """
        return next((item for item in self.steps() if item.id == id), None) or _missing(id)

    @property
    def input_type(self) -> Any:
        """The type an input must fit."""
        if self.input is not None:
            return self.input
        return self.nodes[0].steps[0].input if self.nodes else Any

    @property
    def input_schema(self) -> dict[str, Any] | None:
        """JSON Schema of the input, where one is known."""
        return None if self.input_type is Any else schema_of(self.input_type)

    @property
    def output_schema(self) -> dict[str, Any] | None:
        """JSON Schema of the result, where one is known."""
        last = self.nodes[-1] if self.nodes else None
        type_ = self.output or (last.step.output if isinstance(last, Single) else Any)
        return None if type_ is Any else schema_of(type_)

    def _with(self, node: Node) -> Workflow:
        if not node.steps:
            raise ConfigError(f"Workflow {self.id!r} has an empty group.", "Give it a step.")
        seen = {item.id for item in self.steps()}
        for item in node.steps:
            if item.id in seen:
                raise ConfigError(
                    f"Workflow {self.id!r} has two steps called {item.id!r}.",
                    "Give one another id: step(id='...').",
                )
            seen.add(item.id)
        return dataclasses.replace(self, nodes=(*self.nodes, node))


async def holds(condition: Condition, value: Any) -> bool:
    """Whether a branch's condition holds for ``value``."""
    hints = hints_of(condition) if inspect.isfunction(condition) else {}
    name = next(iter(inspect.signature(condition).parameters), "")
    answer = condition(validate(hints.get(name, Any), value))
    return bool(await answer if inspect.isawaitable(answer) else answer)


def _as_step(value: Any) -> Step[Any, Any]:
    if isinstance(value, Step):
        return value
    if inspect.isroutine(value):
        return step(value)
    raise ConfigError(f"{value!r} is not a step.", "Pass a typed function, or decorate it @step.")


def _flat(items: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(items[0]) if len(items) == 1 and isinstance(items[0], list) else items


def _missing(id_: str) -> Step[Any, Any]:
    raise KeyError(id_)
