"""Find the history of a thread in the format of an agent's framework."""

from __future__ import annotations

from collections.abc import Sequence

from mastra_core.agents.messages import Message
from mastra_core.agents.protocol import AgentLike
from mastra_core.agents.wrappers.capabilities import Capabilities
from mastra_core.storage.records import History, Recall

__all__ = ("find_native_history", "get_writer")


def find_native_history(
    agent: AgentLike, recall: Recall, new: Sequence[Message], last_messages: int
) -> History | None:
    """Return the thread's history in the framework's format; ``None`` if the run cannot use it.

    This agent must have written the history, and the thread must have no later message. The input
    of the run must have exactly one new message, from the user. A history with too many turns is
    shortened, or not used if the agent cannot shorten it.

    :param agent: the agent of the run.
    :param recall: the stored data of the thread, with the messages that the run receives.
    :param new: the new messages of the caller.
    :param last_messages: maximum number of stored messages that the run receives.
    """
    history = recall.history
    is_single = len(new) == 1 and new[0].role == "user"
    if history is None or history.agent != get_writer(agent) or not is_single:
        return None
    if history.messages <= last_messages:
        return history
    truncate = Capabilities(agent).truncate_history
    turns = sum(message.role == "user" for message in recall.messages)
    if truncate is None or not turns:
        return None
    data = truncate(history.data, turns)
    return History(agent=history.agent, data=data, messages=len(recall.messages)) if data else None


def get_writer(agent: AgentLike) -> str:
    """Return a name for the agent that writes a history: the agent's id and its framework.

    :param agent: the agent.
    """
    return f"{agent.id} ({type(agent).__module__})"
