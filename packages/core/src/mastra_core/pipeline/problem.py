"""A problem that a check found."""

from __future__ import annotations

import dataclasses
from typing import Literal, get_args

__all__ = ("Problem",)

Severity = Literal["error", "warning", "note"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Problem:
    """One finding of a check.

    :param message: one sentence that describes the error.
    :param hint: the cure; empty if there is none.
    :param severity: an ``error`` stops the pipeline, a ``warning`` is shown, a ``note`` is shown
        only by ``mastra check``.
    :param where: file and line, or empty.
    :raises ValueError: for an unknown severity, because the problem would not stop the pipeline.
    """

    message: str
    hint: str = ""
    severity: Severity = "error"
    where: str = ""

    def __post_init__(self) -> None:
        if self.severity not in get_args(Severity):
            raise ValueError(f"The severity {self.severity!r} of a problem does not exist.")
