"""Build the card of an agent, by which A2A clients discover it."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from litestar import Request

from mastra_core.agents import AgentLike
from mastra_core.agents.wrappers.capabilities import list_described_tools

__all__ = ("build_agent_card",)

_Request = Request[Any, Any, Any]
_TEXT = ["text/plain"]


def build_agent_card(request: _Request, agent: AgentLike, version: str) -> dict[str, Any]:
    """Build the card of an agent.

    :param request: the request.
    :param agent: the agent.
    :param version: the version of the protocol: ``0.3`` or ``1.0``.
    """
    settings = request.app.state.mastra.server
    origin = str(request.base_url).rstrip("/")
    name = quote(request.path_params["agent_id"], safe="")
    url = f"{origin}{settings.api_prefix}/a2a/{name}"
    card = {
        "name": agent.id,
        "description": agent.description,
        "version": "1.0",
        "defaultInputModes": _TEXT,
        "defaultOutputModes": _TEXT,
        "skills": [_build_skill(tool) for tool in list_described_tools(agent)],
    }
    takes_bearer = settings.auth is not None and not hasattr(settings.auth, "token")
    if version == "1.0":
        return {**card, **_build_new_fields(url, takes_bearer=takes_bearer)}
    return {**card, **_build_old_fields(url, takes_bearer=takes_bearer)}


def _build_skill(tool: Any) -> dict[str, Any]:
    description = tool.description or f"Tool: {tool.id}"
    return {"id": tool.id, "name": tool.id, "description": description, "tags": ["tool"]}


def _build_old_fields(url: str, *, takes_bearer: bool) -> dict[str, Any]:
    """Build the fields that exist only in version 0.3, or have another form in that version."""
    bearer = {"bearer": {"type": "http", "scheme": "bearer"}}
    return {
        "url": url,
        "protocolVersion": "0.3.0",
        "additionalInterfaces": [],
        "supportsAuthenticatedExtendedCard": False,
        "security": [{"bearer": []}] if takes_bearer else [],
        "securitySchemes": bearer if takes_bearer else {},
        "capabilities": {
            "streaming": True,
            "pushNotifications": False,
            "stateTransitionHistory": False,
            "extensions": [],
        },
    }


def _build_new_fields(url: str, *, takes_bearer: bool) -> dict[str, Any]:
    """Build the fields that exist only in version 1.0, or have another form in that version."""
    fields: dict[str, Any] = {
        "supportedInterfaces": [
            {"url": url, "protocolBinding": "JSONRPC", "protocolVersion": version}
            for version in ("0.3", "1.0")
        ],
        "capabilities": {
            "streaming": True,
            "pushNotifications": False,
            "extensions": [],
            "extendedAgentCard": False,
        },
    }
    if takes_bearer:
        fields["securitySchemes"] = {"bearer": {"httpAuthSecurityScheme": {"scheme": "Bearer"}}}
        fields["securityRequirements"] = [{"schemes": {"bearer": {"list": []}}}]
    return fields
