"""Reject run options that a framework does not support, so that none is ignored silently."""

from __future__ import annotations

import msgspec

from mastra_core.agents.messages import AgentInput
from mastra_core.errors import InvalidInput

__all__ = ("reject_unsupported",)

_DEFAULTS = AgentInput()


def reject_unsupported(run_input: AgentInput, framework: str, *names: str) -> None:
    """Raise an error if an input sets one of the named options.

    :param run_input: the input of the run.
    :param framework: name of the framework, for the message.
    :param names: fields of ``AgentInput`` that the framework does not support.
    :raises InvalidInput: for the first unsupported option that is set.
    """
    for name in names:
        if getattr(run_input, name) != getattr(_DEFAULTS, name):
            # A caller over HTTP does not know that the tool choice is one of the settings.
            option = next(iter(run_input.settings)) if name == "settings" else name
            raise InvalidInput(
                f"Agents of {framework} do not support the option {option!r} in a single run.",
                f"Set the option on the agent. A run supports {', '.join(_list_supported(names))}.",
            )


def _list_supported(excluded_names: tuple[str, ...]) -> list[str]:
    fields = msgspec.structs.fields(AgentInput)
    return [field.name for field in fields if field.name not in excluded_names]
