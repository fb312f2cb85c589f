"""The Model Context Protocol: tools of a server for an agent, and an application as a server.

It needs the extra ``mcp``, whose package is imported when it is first used.
"""

from mastra_core.mcp.client import McpClient
from mastra_core.mcp.serve import McpApp, serve_stdio

__all__ = ("McpApp", "McpClient", "serve_stdio")
