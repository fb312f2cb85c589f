"""Routes of MCP servers, and the application as an MCP server."""
