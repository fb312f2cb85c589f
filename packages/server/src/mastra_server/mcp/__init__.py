"""Routes that show the application as an MCP server."""
