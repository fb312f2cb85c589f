"""A problem that a check found."""

from __future__ import annotations

import dataclasses
from typing import Literal

__all__ = ("Problem",)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Problem:
    """One finding of a check.

    :param message: one sentence that describes the error.
    :param hint: the cure; empty if there is none.
    :param severity: an ``error`` stops the pipeline, a ``warning`` is shown, a ``note`` is shown
        only by ``mastra check``.
    :param where: file and line, or empty.
    """

    message: str
    hint: str = ""
    severity: Literal["error", "warning", "note"] = "error"
    where: str = ""
