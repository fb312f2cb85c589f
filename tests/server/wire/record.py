"""Record what the client receives from the TypeScript original.

Run ``python -m tests.server.wire.record``. It installs the original from npm, which takes a minute;
the tests need only the recorded responses.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.node import find_node, install_packages
from tests.server.wire.driver import CLIENT, HERE, RECORDED, format_json, run_client

ORIGINAL = (
    "@mastra/core@1.71.0",
    "@mastra/server@1.69.0",
    "@mastra/deployer@1.69.0",
    "@mastra/memory@1.31.0",
    "@mastra/libsql@1.23.1",
    "@mastra/mcp@2.0.0",
    "zod@4",
    CLIENT,
)


@contextlib.contextmanager
def serve_original(home: Path) -> Iterator[str]:
    """Serve the application with the original; give its address."""
    port = _find_free_port()
    script = home / "original.mjs"
    script.write_text((HERE / script.name).read_text())
    quiet = {"MASTRA_TELEMETRY_DISABLED": "1", "NODE_ENV": "production"}
    server = subprocess.Popen(
        [find_node(), script, str(port)], cwd=home, env={**os.environ, **quiet}
    )
    try:
        _wait_until_listening(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()


def _find_free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def _wait_until_listening(port: int) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with contextlib.suppress(ConnectionError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.1)
    raise SystemExit("The original does not listen.")


if __name__ == "__main__":
    installed = install_packages(*ORIGINAL)
    with serve_original(installed) as address:
        calls = run_client(installed, address)["calls"]
    RECORDED.write_text(format_json(calls) + "\n", encoding="utf-8")
