"""What a workflow is made of, in order."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

from mastra_core.workflows.model.function import Function
from mastra_core.workflows.model.step import Step

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

    @property
    def steps(self) -> tuple[Step[Any, Any], ...]:
        """None."""
        return ()


Node = Single | Parallel | Branch | ForEach | Loop | Sleep
