"""Resources of an application that is an MCP server: documents that clients read."""

from __future__ import annotations

import base64
import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mastra_core.arguments.argument_types import check_types
from mastra_core.arguments.function_parameters import check_parameters
from mastra_core.errors import ConfigError
from mastra_core.mcp.exposed_tools import McpCaller
from mastra_core.schema import encode_json
from mastra_core.worker_thread import run_function

if TYPE_CHECKING:
    from mastra_core.mastra import Mastra

__all__ = ("McpResource", "build_resources")


@dataclasses.dataclass(frozen=True, kw_only=True)
class McpResource:
    """A document that MCP clients read by its URI.

    :param uri: the URI, such as ``docs://terms``.
    :param name: name of the document.
    :param content: text or bytes, or a function that takes the ``McpCaller`` and returns text,
        bytes or JSON builtins; the function may be sync or async.
    :param description: text that says what the document is for.
    :param mime_type: MIME type of the content; by default, a type that fits the Python type of the
        content.
    :raises ConfigError: for a URI without a scheme, or an argument of the wrong type.
    """

    uri: str
    name: str
    content: str | bytes | Callable[[McpCaller], Any]
    description: str = ""
    mime_type: str = ""

    def __post_init__(self) -> None:
        uri: Any = self.uri
        if not isinstance(uri, str) or ":" not in uri:
            raise ConfigError(
                f"The URI {self.uri!r} of the MCP resource has no scheme.", "Write 'docs://terms'."
            )
        if not (isinstance(self.content, str | bytes) or callable(self.content)):
            raise ConfigError(
                f"The content {self.content!r} of the MCP resource {self.uri!r} is neither text "
                "nor bytes nor a function.",
                "Pass a function that takes an McpCaller and returns the content.",
            )
        check_types(vars(self), McpResource.__annotations__)
        if callable(self.content):
            check_parameters(self.content, "content", "caller")

    def describe(self) -> dict[str, str]:
        """Describe the resource in the form of the protocol."""
        fields = {"description": self.description, "mimeType": self.mime_type}
        return {
            "uri": self.uri,
            "name": self.name,
            **{key: value for key, value in fields.items() if value},
        }

    async def read(self, caller: McpCaller) -> dict[str, str]:
        """Read the content, in the form of the protocol.

        :param caller: who reads the resource.
        """
        content = await self._load(caller)
        if isinstance(content, bytes):
            blob = base64.b64encode(content).decode()
            return self._build_contents("application/octet-stream", blob=blob)
        if isinstance(content, str):
            return self._build_contents("text/plain", text=content)
        return self._build_contents("application/json", text=encode_json(content).decode())

    async def _load(self, caller: McpCaller) -> Any:
        content = self.content
        if isinstance(content, str | bytes):
            return content
        is_async = inspect.iscoroutinefunction(content)
        return await run_function(functools.partial(content, caller), is_async=is_async)

    def _build_contents(self, default_type: str, **content: str) -> dict[str, str]:
        return {"uri": self.uri, "mimeType": self.mime_type or default_type, **content}


def build_resources(mastra: Mastra) -> dict[str, McpResource]:
    """Return the resources of ``Server(mcp_resources=...)`` by URI.

    :param mastra: the application.
    :raises ConfigError: for a value that is no resource, and for two resources with the same URI.
    """
    by_uri: dict[str, McpResource] = {}
    for resource in mastra.server.mcp_resources:
        if not isinstance(resource, McpResource):
            raise ConfigError(
                f"mcp_resources contains {resource!r}, which is not a resource.",
                "Pass McpResource(uri=..., name=..., content=...) of mastra_core.mcp.",
            )
        if resource.uri in by_uri:
            raise ConfigError(
                f"Two resources of the MCP server have the URI {resource.uri!r}.",
                "Use another URI for one of the resources.",
            )
        by_uri[resource.uri] = resource
    return by_uri
