"""Use the tools of MCP servers in agents, and serve an application over MCP.

The package needs the extra ``mcp``, and imports the SDK on first use.
"""

from mastra_core.mcp.client import McpClient
from mastra_core.mcp.exposed_tools import McpCaller
from mastra_core.mcp.resources import McpResource
from mastra_core.mcp.serve import McpApp, serve_stdio

__all__ = ("McpApp", "McpCaller", "McpClient", "McpResource", "serve_stdio")
