"""A wrong version of the MCP SDK is named, rather than the server that it cannot reach."""

import os
import subprocess
import sys

import pytest

CALL = """\
import asyncio, sys
from mastra_core.mcp import McpClient
from mastra_core.errors import MastraError

async def main():
    client = McpClient(command=[sys.executable, "-c", "pass"], name="shop")
    try:
        await client.list_tools()
    except MastraError as error:
        print(type(error).__name__, error.message, error.hint)

asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("1.27.1", ("ConfigError", "mcp 1.27.1 is installed", "mastra-core[mcp]")),
        ("2.9", ("McpFailed", "cannot be reached")),
    ],
)
def test_version_of_the_sdk(tmp_path, version, words):
    info = tmp_path / f"mcp-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: mcp\nVersion: {version}\n")
    done = subprocess.run(
        [sys.executable, "-c", CALL],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    for word in words:
        assert word in done.stdout, done.stdout + done.stderr
