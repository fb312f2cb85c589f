"""Wishes of a caller that a framework cannot meet are refused, never passed over in silence."""

from __future__ import annotations

import msgspec

from mastra_core.agents.messages import AgentInput
from mastra_core.errors import InvalidInput

__all__ = ("reject_unsupported",)

_NOTHING = AgentInput()


def reject_unsupported(run_input: AgentInput, framework: str, *names: str) -> None:
    """Refuse an input that has a wish called one of ``names``.

    :raises InvalidInput: for the first of them.
    """
    for name in names:
        if getattr(run_input, name) != getattr(_NOTHING, name):
            raise InvalidInput(
                f"An agent of {framework} takes no {name!r} for one run.",
                f"Set it on the agent itself; for one run it takes {', '.join(_others(names))}.",
            )


def _others(refused: tuple[str, ...]) -> list[str]:
    fields = msgspec.structs.fields(AgentInput)
    return [field.name for field in fields if field.name not in refused]
