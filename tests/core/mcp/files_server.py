"""An MCP server of the official package, as a program, and over HTTP where it is given a port."""

import os
import sys
import time

from mcp.server.mcpserver import MCPServer

server = MCPServer("files")


@server.tool()
def read(path: str) -> str:
    """Read a file."""
    return f"what is in {path}"


@server.tool()
def size(path: str) -> dict[str, int]:
    """How large a file is."""
    return {"bytes": len(path)}


@server.tool()
def secret() -> str:
    """A variable of the environment."""
    return f"{os.environ.get('FILES_KEY', '')} {os.environ.get('OURS', '')}"


@server.tool()
def broken(path: str) -> str:
    """Always fails."""
    raise ValueError(f"no such file: {path}")


@server.tool()
def slow() -> str:
    """Takes its time."""
    time.sleep(30)
    return "late"


@server.tool()
def die() -> str:
    """Ends the server."""
    os._exit(3)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        server.run("streamable-http", port=int(sys.argv[1]))
    else:
        server.run("stdio")
