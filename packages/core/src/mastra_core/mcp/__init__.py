"""The Model Context Protocol: a server's tools for an agent, and an application as a server.

The package needs the extra ``mcp``, which is imported on first use.
"""

from mastra_core.mcp.client import McpClient
from mastra_core.mcp.exposed_tools import McpCaller
from mastra_core.mcp.serve import McpApp, serve_stdio

__all__ = ("McpApp", "McpCaller", "McpClient", "serve_stdio")
