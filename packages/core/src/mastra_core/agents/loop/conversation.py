"""The messages of a run."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Sequence
from typing import Any

from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    UserPromptPart,
)

from mastra_core.agents.events import AgentEvent, StepFinish
from mastra_core.agents.loop.resume import answer_interrupted_calls
from mastra_core.agents.pydantic_ai.run_result import build_events

__all__ = ("Conversation",)


class Conversation:
    """The messages before a run, and the messages of the run.

    :param history: pydantic-ai's messages before the run.
    :param instructions: the system prompt, which each new request carries.
    """

    def __init__(self, history: Sequence[ModelMessage], instructions: str) -> None:
        self.messages = list(history)
        self._instructions = instructions or None
        self._previous_count = len(self.messages)

    def add_prompt(self, prompt: Any) -> None:
        """Add the user's message; first add a result for each tool call without a result.

        :param prompt: the message in pydantic-ai's form; ``None`` if there is none.
        """
        self.messages = answer_interrupted_calls(self.messages)
        self.add_request([] if prompt is None else [UserPromptPart(prompt)])
        self._previous_count = len(self.messages)

    def add_request(self, parts: Sequence[ModelRequestPart]) -> None:
        """Add parts of the next request; consecutive requests are one message.

        :param parts: pydantic-ai's parts.
        """
        last = self.messages[-1] if self.messages else None
        if isinstance(last, ModelRequest):
            joined = [*last.parts, *parts]
            self.messages[-1] = dataclasses.replace(
                last, parts=joined, instructions=self._instructions
            )
        elif parts or last is None:
            self.messages.append(
                ModelRequest(
                    parts=list(parts),
                    instructions=self._instructions,
                    timestamp=dt.datetime.now(dt.UTC),
                )
            )

    def add_response(self, response: ModelResponse) -> None:
        """Add a response of the model.

        :param response: pydantic-ai's message.
        """
        self.messages.append(response)

    def build_turn_events(self) -> list[AgentEvent]:
        """Build the events of all turns so far, for the stop conditions."""
        events = build_events(self.messages, self._previous_count)
        return [*events, StepFinish(reason="tool-calls", continued=True)]
