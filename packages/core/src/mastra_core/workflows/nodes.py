"""What a workflow is made of, in order."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

from mastra_core.errors import ConfigError
from mastra_core.workflows.function import Function
from mastra_core.workflows.step import Step

__all__ = ("Branch", "ForEach", "Loop", "Node", "Parallel", "Single", "Sleep")


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

    conditions: tuple[Function, ...]
    steps: tuple[Step[Any, Any], ...]


@dataclasses.dataclass(frozen=True)
class ForEach(Single):
    """One step for each item of a list, ``concurrency`` at a time; the output is a list."""

    concurrency: int = 1

    def __post_init__(self) -> None:
        if not _is_number(self.concurrency, int, least=1):
            raise ConfigError(
                f"The concurrency is {self.concurrency!r}.", "Use a number from 1 up."
            )


@dataclasses.dataclass(frozen=True)
class Loop(Single):
    """One step on its own output again: while the condition holds, or until it does."""

    condition: Function
    until: bool


@dataclasses.dataclass(frozen=True)
class Sleep:
    """Nothing for a while: seconds, or until a moment; what went before is passed on."""

    id: str
    duration: float | None = None
    moment: dt.datetime | None = None
    asks: Function | None = None
    until: bool = False

    def __post_init__(self) -> None:
        if self.asks is not None:
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
        """None."""
        return ()


Node = Single | Parallel | Branch | ForEach | Loop | Sleep


def _is_number(value: object, kind: Any, *, least: float) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool) and value >= least


def _is_moment(value: object) -> bool:
    return isinstance(value, dt.datetime) and value.tzinfo is not None
