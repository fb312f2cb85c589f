"""Routes that present the application as an MCP server."""
