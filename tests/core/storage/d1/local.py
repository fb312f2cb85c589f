"""Real local D1 databases of Cloudflare's own tools, and bindings to them."""

import asyncio
import base64
import contextlib
import http.client
import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from tests.node import find_node, install_packages
from tests.npm import ensure_installed

SERVER = Path(__file__).parent / "server.mjs"
PYODIDE = Path(__file__).parent / "pyodide.mjs"
WORKER = Path(__file__).parent / "worker.mjs"
SCRIPT = Path(__file__).parent / "worker_script.py"
WRANGLER = "4.164.0"
WORKERD = "1.20261117.1"  # which that version of wrangler needs
DATABASES = ("DB", "SECOND")


class Statement:
    """What ``prepare`` and ``bind`` return."""

    def __init__(self, sql, values=()):
        self.sql, self.values = sql, values

    def bind(self, *values):
        return Statement(self.sql, values)


class Binding:
    """A binding with the methods of D1's, which sends each batch to a Worker."""

    def __init__(self, port, database="DB"):
        self.port, self.database = port, database
        self.batches = 0

    def prepare(self, sql):
        return Statement(sql)

    async def batch(self, statements):
        self.batches += 1
        return await asyncio.to_thread(self.send, statements)

    def send(self, statements):
        """Execute statements, with a limit of D1 that the local one does not have."""
        assert max(len(each.values) for each in statements) <= 100
        items = [
            {"sql": each.sql, "values": [encode_value(value) for value in each.values]}
            for each in statements
        ]
        body = json.dumps({"database": self.database, "statements": items})
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port)) as connection:
            connection.request("POST", "/", body)
            answer = json.loads(connection.getresponse().read())
        if "error" in answer:
            raise RuntimeError(answer["error"])  # as a JsException, it has D1's message
        return answer["results"]


def encode_value(value):
    return {"base64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value


@contextlib.contextmanager
def serve_databases(directory):
    """Start local D1 without a network, and yield the port of the server."""
    home = install_wrangler()
    for script in (SERVER, WORKER):
        shutil.copy(script, directory)
    (directory / "node_modules").symlink_to(home / "node_modules")
    process = subprocess.Popen(
        [find_node(), directory / SERVER.name, directory / WORKER.name, *DATABASES],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=directory,
    )
    try:
        yield int(process.stdout.readline())
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(20)


def run_in_pyodide(script, bundle, directory):
    """Run a script in Pyodide with the packages of a bundle, and return its last line as JSON."""
    home = install_wrangler()
    shutil.copy(PYODIDE, directory)
    (directory / "node_modules").symlink_to(home / "node_modules")
    databases = [{"binding": "DB", "database_name": "db", "database_id": "0"}]
    settings = {"name": "test", "compatibility_date": "2026-11-17", "d1_databases": databases}
    (directory / "wrangler.json").write_text(json.dumps(settings))
    pyodide = install_packages("pyodide@314.0.7") / "node_modules/pyodide/pyodide.mjs"
    arguments = [directory / "wrangler.json", pyodide, bundle, script]
    done = subprocess.run(
        [find_node(), directory / PYODIDE.name, *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=directory,
        env={
            **os.environ,
            "XDG_CONFIG_HOME": str(directory),
            "WRANGLER_SEND_METRICS": "false",
            "WRANGLER_LOG_PATH": str(directory / "logs"),
        },
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def install_wrangler():
    """Return a directory with wrangler, miniflare and workerd."""
    return ensure_installed(f"wrangler@{WRANGLER}", f"{get_workerd_package()}@{WORKERD}")


def get_workerd_package():
    system = {"win32": "windows"}.get(sys.platform, sys.platform)
    machine = "arm64" if platform.machine().lower() in ("arm64", "aarch64") else "64"
    return f"@cloudflare/workerd-{system}-{machine}"
