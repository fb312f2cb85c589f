"""Choose the conversation in which a response is stored."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request

from mastra_core.agents import AgentLike
from mastra_core.errors import NotFound
from mastra_core.memory import Memory, get_memory
from mastra_core.random_id import generate_id
from mastra_server.http.request_body import InvalidBody
from mastra_server.http.request_context import restrict_to_resource, restrict_to_thread
from mastra_server.openai.request import ResponseBody

__all__ = ("ConversationThread", "choose_conversation")

_Request = Request[Any, Any, Any]


class ConversationThread(msgspec.Struct, frozen=True):
    """A thread of the memory, and its owner; both are empty if no messages are stored.

    :param thread: the id of the thread, and of the conversation.
    :param resource: the owner of the thread.
    """

    thread: str = ""
    resource: str = ""


async def choose_conversation(
    request: _Request, agent: AgentLike, body: ResponseBody, previous: ConversationThread | None
) -> ConversationThread:
    """Return the conversation of a request.

    A request that names a conversation or a previous response continues that conversation. Any
    other request begins a conversation, if the response is to be stored and the agent has a memory.

    :param request: the request.
    :param agent: the agent.
    :param body: the body of the request.
    :param previous: the conversation of the previous response, if there is one.
    :raises NotFound: when there is no such conversation.
    :raises Forbidden: when the conversation belongs to another resource.
    :raises InvalidBody: when the agent has no memory, or the previous response belongs to another
        conversation.
    """
    owner = restrict_to_resource(request)
    name = restrict_to_thread(request, body.conversation_name)
    if body.previous_response_id and name != (previous.thread if previous else ""):
        if body.conversation_name:
            raise InvalidBody(
                "conversation_id", "The previous response is not in this conversation"
            )
        if previous is not None:
            restrict_to_thread(request, previous.thread)
        return previous or ConversationThread(name, owner)
    memory = get_memory(agent)
    if body.conversation_name:
        return await _find_conversation(memory, name, owner)
    if memory is None or not (name or body.store):
        return ConversationThread(name, owner)
    thread = name or generate_id()
    return ConversationThread(thread, owner or thread)


async def _find_conversation(memory: Memory | None, name: str, owner: str) -> ConversationThread:
    if memory is None:
        raise InvalidBody("conversation_id", "The agent has no memory")
    if await memory.storage.threads.get(name) is None:
        raise NotFound(f"ConversationThread {name} was not found")
    thread = await memory.get_thread(name, owner or None)
    return ConversationThread(thread.id, thread.resource)
