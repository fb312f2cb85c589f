"""What a check found."""

from __future__ import annotations

import dataclasses
from typing import Literal

__all__ = ("Problem",)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Problem:
    """One finding: a sentence, and the cure.

    :param severity: an ``error`` stops the line, a ``warning`` is shown, a ``note`` only by
        ``mastra check``.
    :param where: file and line, or empty.
    """

    message: str
    hint: str = ""
    severity: Literal["error", "warning", "note"] = "error"
    where: str = ""
