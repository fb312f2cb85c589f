"""The nodes of a workflow, which it executes in order."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

from mastra_core.errors import ConfigError
from mastra_core.workflows.model.function import Function
from mastra_core.workflows.model.step import Step

__all__ = ("Branch", "ForEach", "Loop", "Node", "Parallel", "Single", "Sleep")


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
    """Steps that run concurrently on the same input; the output maps step id to output.

    :param steps: the steps.
    """

    steps: tuple[Step[Any, Any], ...]


@dataclasses.dataclass(frozen=True)
class Branch:
    """Steps that run concurrently if their condition is true; the output maps step id to output.

    :param conditions: the condition of each step.
    :param steps: the steps.
    """

    conditions: tuple[Function, ...]
    steps: tuple[Step[Any, Any], ...]


@dataclasses.dataclass(frozen=True)
class ForEach(Single):
    """One step for each item of a list; the output is the list of outputs.

    :param step: the step.
    :param concurrency: the maximum number of items at a time.
    """

    concurrency: int = 1

    def __post_init__(self) -> None:
        if not _is_number(self.concurrency, int, least=1):
            raise ConfigError(
                f"The concurrency of a foreach is {self.concurrency!r}.",
                "Use an integer from 1 up.",
            )


@dataclasses.dataclass(frozen=True)
class Loop(Single):
    """One step that is repeated on its own output.

    :param step: the step.
    :param condition: the condition, which is evaluated after each iteration.
    :param until: whether the loop ends when the condition is true, instead of when it is false.
    """

    condition: Function
    until: bool


@dataclasses.dataclass(frozen=True)
class Sleep:
    """A wait, for some seconds or until a moment; the previous output is passed on.

    :param id: the id.
    :param duration: the seconds, unless ``function`` or ``moment`` is set.
    :param moment: the end of the wait.
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
                f"The sleep {self.id!r} lasts until {self.moment!r}.",
                "Pass a datetime with a time zone: datetime.now(UTC) + timedelta(hours=1).",
            )
        if not self.until and not _is_number(self.duration, int | float, least=0):
            raise ConfigError(
                f"The sleep {self.id!r} lasts {self.duration!r}.", "Use seconds from 0 up."
            )

    @property
    def steps(self) -> tuple[Step[Any, Any], ...]:
        """The steps of the node: none."""
        return ()


Node = Single | Parallel | Branch | ForEach | Loop | Sleep


def _is_number(value: object, kind: Any, *, least: float) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool) and value >= least


def _is_moment(value: object) -> bool:
    return isinstance(value, dt.datetime) and value.tzinfo is not None
