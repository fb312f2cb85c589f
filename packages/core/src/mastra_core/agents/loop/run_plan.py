"""What one run needs: its conversation, models, tools, settings and limits."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import msgspec
from pydantic_ai.messages import InstructionPart, ModelMessage
from pydantic_ai.models import Model, ModelRequestParameters

from mastra_core.agents.definition import AgentDefinition
from mastra_core.agents.loop.output_format import OutputFormat
from mastra_core.agents.loop.resume import Resumption
from mastra_core.agents.loop.toolset import Toolset
from mastra_core.agents.messages import AgentInput
from mastra_core.agents.pydantic_ai.run_overrides import remove_forced_choice

__all__ = ("DEFAULT_MAX_STEPS", "RunPlan", "apply_defaults")

DEFAULT_MAX_STEPS = 5


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunPlan:
    """One run of the built-in agent, before its first request.

    :param run_input: the input of the run, with the defaults of the agent.
    :param models: the models, in the order in which they are tried.
    :param own_models: the models whose connections are open for this run only.
    :param instructions: the system prompt.
    :param history: the messages before the run.
    :param prompt: the user's message in pydantic-ai's form; ``None`` if there is none.
    :param resumption: the decisions about calls that wait; ``None`` if no call waits.
    :param toolset: the tools of the run.
    :param timeout: seconds for one answer of the model; ``None`` for no limit.
    :param output: the format of the answer; ``None`` for text.
    :param retries: how many times the model may correct an invalid answer.
    :param stops_on_tool_error: whether an error of a tool ends the run.
    """

    run_input: AgentInput
    models: list[Model]
    own_models: list[Model]
    instructions: str
    history: list[ModelMessage]
    prompt: Any
    resumption: Resumption | None
    toolset: Toolset
    timeout: float | None
    output: OutputFormat | None
    retries: int
    stops_on_tool_error: bool

    @property
    def max_steps(self) -> int:
        """How many turns the run may have."""
        steps = self.run_input.max_steps
        return DEFAULT_MAX_STEPS if steps is None else steps

    @functools.cached_property
    def parameters(self) -> ModelRequestParameters:
        """The tools, the output format and the instructions that the model gets."""
        parts = [InstructionPart(content=self.instructions)] if self.instructions else []
        if self.output is None:
            return ModelRequestParameters(
                function_tools=self.toolset.definitions, instruction_parts=parts
            )
        return ModelRequestParameters(
            function_tools=self.toolset.definitions,
            instruction_parts=parts,
            output_mode="auto",
            output_tools=[self.output.definition],
            output_object=self.output.object,
            allow_text_output=False,
        )

    def get_settings(self, *, is_first: bool) -> dict[str, Any]:
        """Return the settings of one turn; only the first turn may force a tool call.

        :param is_first: whether the turn is the first of a run that is not resumed.
        """
        settings = self.run_input.settings
        return settings if is_first else remove_forced_choice(settings)


def apply_defaults(run_input: AgentInput, agent: AgentDefinition) -> AgentInput:
    """Return a run's input; an option that it lacks gets the agent's value.

    :param run_input: the input of the run.
    :param agent: the description of the agent.
    """
    changes: dict[str, Any] = {}
    for name in ("max_steps", "timeout", "limits"):
        if getattr(run_input, name) is None and getattr(agent, name) is not None:
            changes[name] = getattr(agent, name)
    if agent.stop_when:
        changes["stop_when"] = (*agent.stop_when, *run_input.stop_when)
    if run_input.model is None:
        changes["model"] = agent.models
    if agent.settings:
        changes["settings"] = {**agent.settings, **run_input.settings}
    return msgspec.structs.replace(run_input, **changes)
