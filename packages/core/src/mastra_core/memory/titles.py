"""Names for threads, made of the first thing a user says."""

from __future__ import annotations

from typing import Any

from mastra_core.agents.adapt import as_agent
from mastra_core.agents.messages import AgentInput, Message
from mastra_core.agents.protocol import AgentLike
from mastra_core.logger import logger_of

__all__ = ("TitleGenerator", "as_title_generator")

_LONGEST = 200
_WISH = (
    "Write a title for a conversation that begins with the user's message: at most eight words, "
    "in its language, without quotes. Do not answer the message."
)


class TitleGenerator:
    """Makes titles.

    :param agent: who is asked; the agent whose thread it is where ``None``.
    """

    def __init__(self, agent: AgentLike | None) -> None:
        self._agent = agent

    async def generate(self, text: str, agent: AgentLike, context: dict[str, Any]) -> str:
        """A title for ``words``; empty, and the reason is logged, where there is none."""
        asked = self._agent or agent
        wish = AgentInput(
            messages=(Message.user(text),),
            instructions=_WISH if self._agent is None else "",
            active_tools=(),
            context=context,
        )
        try:
            output = await asked.generate(wish)
        except Exception as error:  # noqa: BLE001  # a run does not fail for want of a title
            logger_of("mastra.memory").warning("a thread got no title", exc_info=error)
            return ""
        return " ".join(output.text.split()).strip("\"'")[:_LONGEST]


def as_title_generator(value: Any) -> TitleGenerator | None:
    """``value`` as what makes titles; nothing for ``False``.

    :raises ConfigError: for something that is no agent.
    """
    if value is False or value is None:
        return None
    return TitleGenerator(None if value is True else as_agent(value))
