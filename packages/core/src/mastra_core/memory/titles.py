"""Titles of threads, generated from the user's first message."""

from __future__ import annotations

from typing import Any

from mastra_core.agents.adapt import as_agent
from mastra_core.agents.messages import AgentInput, Message
from mastra_core.agents.protocol import AgentLike
from mastra_core.logger import get_logger

__all__ = ("TitleGenerator", "as_title_generator")

_MAX_LENGTH = 200
_INSTRUCTIONS = (
    "Write a title for a conversation that begins with the user's message: at most eight words, "
    "in its language, without quotes. Do not answer the message."
)


class TitleGenerator:
    """Generates titles.

    :param agent: the agent that generates titles; ``None`` for the agent that answers in the
        thread.
    """

    def __init__(self, agent: AgentLike | None) -> None:
        self._agent = agent

    async def generate(self, text: str, agent: AgentLike, context: dict[str, Any]) -> str:
        """Generate a title.

        :param text: the user's first message.
        :param agent: the agent that answers in the thread.
        :param context: the request context.
        :returns: the title; empty if the agent failed. The log then contains the agent's error.
        """
        generator = self._agent or agent
        try:
            output = await generator.generate(self._build_input(text, generator, context))
        except Exception as error:  # noqa: BLE001  # a run does not fail because of its title
            get_logger("mastra.memory").warning("no title was generated", exc_info=error)
            return ""
        text = output.object if isinstance(output.object, str) else output.text
        return " ".join(text.split()).strip("\"'")[:_MAX_LENGTH]

    def _build_input(self, text: str, generator: AgentLike, context: dict[str, Any]) -> AgentInput:
        return AgentInput(
            messages=(Message.user(text),),
            instructions=_INSTRUCTIONS if self._agent is None else "",
            output=None if generator.info().output_schema is None else str,
            active_tools=(),
            context=context,
        )


def as_title_generator(value: Any) -> TitleGenerator | None:
    """Convert a setting to a title generator.

    :param value: ``True`` for the agent of the thread, an agent or function, or ``False``.
    :returns: the generator, ``None`` for ``False``.
    :raises ConfigError: for a value of any other type.
    """
    if value is False or value is None:
        return None
    return TitleGenerator(None if value is True else as_agent(value))
