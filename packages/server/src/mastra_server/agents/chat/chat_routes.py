"""Offer agents at the path that chats of the AI SDK expect."""

from __future__ import annotations

from typing import Any

from litestar import Request

from mastra_core.arguments.argument_types import check_types
from mastra_core.errors import ConfigError
from mastra_core.server import ApiRoute
from mastra_server.agents.chat.ai_sdk_stream import UiVersion
from mastra_server.agents.chat.ui_chat import resume_chat, stream_chat
from mastra_server.agents.routes import get_agent

__all__ = ("chat_routes",)

_Request = Request[Any, Any, Any]


def chat_routes(
    path: str = "/chat/{agent_id}", *, agent: str = "", version: UiVersion = "v6"
) -> tuple[ApiRoute, ApiRoute]:
    """Create the routes of a chat: one for its messages, and one to reconnect to a run.

    :param path: the path, with ``{agent_id}`` unless ``agent`` is given.
    :param agent: key or id of the agent, if the path serves only one agent.
    :param version: the version of the AI SDK in the browser: ``v5``, or ``v6`` for 6 and newer.
    :returns: the routes for ``Server(api_routes=...)``.
    :raises ConfigError: for a path without an agent, an unknown version, or an argument of the
        wrong type.
    """
    check_types(locals(), chat_routes.__annotations__)
    if bool(agent) == ("{agent_id}" in path):
        raise ConfigError(
            f"The chat route {path!r} has {'two agents' if agent else 'no agent'}.",
            "Write the path as '/chat/{agent_id}', or pass agent= and a path without {agent_id}.",
        )
    if version not in ("v5", "v6"):
        raise ConfigError(
            f"The version {version!r} of the AI SDK is not supported.", "Use 'v5' or 'v6'."
        )

    async def stream(request: _Request) -> Any:
        """Run an agent on the messages of a chat, and stream its answer."""
        return await stream_chat(request, get_agent(request, agent), version)

    async def resume(request: _Request) -> Any:
        """Stream the active run of a chat."""
        return resume_chat(request, get_agent(request, agent), request.path_params["chat_id"])

    return (
        ApiRoute(path=path, handler=stream, method="POST"),
        ApiRoute(path=f"{path}/{{chat_id}}/stream", handler=resume),
    )
