"""`mastra preview vercel`: the function behind a proxy that behaves as the platform."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from mastra_core.errors import ConfigError
from mastra_deployer_vercel.preview.function_runtime import FunctionRuntime
from tests.sample_projects import write_project

pytestmark = pytest.mark.slow

APP = """\
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

async def told(request):
    print("asked for", request.url.path, flush=True)
    body = await request.body()
    return JSONResponse({"headers": dict(request.headers), "size": len(body)})

app = Starlette(routes=[Route("/{rest:path}", told, methods=["GET", "POST"])])
"""

CHATTY = """\
import json, os, socket, time

connection = socket.socket(socket.AF_UNIX)
connection.connect(os.environ["VERCEL_IPC_PATH"])
line = {"type": "log", "payload": {"message": "bGluZQ=="}}
start = {"type": "server-started", "payload": {"httpPort": 4711}}
messages = [line] * 3000 + [start]
connection.sendall(b"".join(json.dumps(each).encode() + b"\\0" for each in messages))
time.sleep(60)
"""


def test_an_interpreter_without_venv_is_reported(tmp_path):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'No module named venv' >&2\nexit 1\n")
    python.chmod(0o755)
    runtime = FunctionRuntime(tmp_path, str(python), {}, print)
    with pytest.raises(ConfigError, match="No module named venv") as raised, runtime:
        pass
    assert "python3-venv" in raised.value.hint


def test_an_app_may_log_many_lines_while_it_starts(tmp_path):
    (tmp_path / ".vc-config.json").write_text('{"handler": "main.vc_handler"}')
    (tmp_path / "main.py").write_text(CHATTY)
    messages = []
    with FunctionRuntime(tmp_path, sys.executable, {}, messages.append) as runtime:
        assert runtime.port == 4711
    assert [message["type"] for message in messages].count("log") == 3000


@pytest.fixture(scope="module")
def bundled_project(tmp_path_factory, mastra):
    directory = tmp_path_factory.mktemp("preview")
    config = '[tool.mastra.build]\ninclude = ["public/**/*"]\n'
    files = {"main.py": APP, "public/page.txt": "from the CDN"}
    root = write_project(directory / "app", files, config, dependencies=("starlette",))
    options = ("--app", "main:app", "-s", "project_name=site", "-s", "static=public")
    mastra("bundle", "vercel", *options, "--python", "3.12", "-o", directory / "out", cwd=root).ok()
    return root


@pytest.fixture
def preview_client(bundled_project, find_python):
    find_python("3.12")
    command = [str(Path(sys.executable).with_name("mastra")), "preview", "vercel", "--port", "0"]
    command += ["--prebuilt", str(bundled_project.parent / "out"), "-s", "project_name=site"]
    process = subprocess.Popen(
        command, cwd=bundled_project, env={**os.environ}, stderr=subprocess.PIPE, text=True
    )
    for line in process.stderr:
        if match := re.search(r"on (http://\S+)", line):
            break
    else:
        pytest.fail("the preview does not serve")
    with httpx.Client(base_url=match[1], timeout=30, trust_env=False) as client:
        client.process = process
        yield client
    process.kill()
    process.communicate()


def test_preview_matches_the_platform_and_stops_cleanly(preview_client):
    content = preview_client.post("/a/b", content=b"12345", headers={"x-mine": "kept"}).json()
    assert content["size"] == 5 and content["headers"]["x-mine"] == "kept"
    assert (
        content["headers"]["x-forwarded-for"] == "127.0.0.1" and content["headers"]["x-vercel-id"]
    )
    assert not [name for name in content["headers"] if name.startswith("x-vercel-internal")]
    assert preview_client.get("/page.txt").text == "from the CDN"
    assert "headers" in preview_client.get("/../../main.py").json(), "the app's, not a file"
    large = preview_client.post("/", content=b"x" * 4_500_001)
    assert large.status_code == 413 and "FUNCTION_PAYLOAD_TOO_LARGE" in large.text
    preview_client.process.send_signal(signal.SIGTERM)
    stderr = preview_client.process.communicate(timeout=30)[1]
    assert preview_client.process.returncode == 143
    assert "asked for /a/b" in stderr and "Traceback" not in stderr


def test_system_without_unix_sockets():
    """Python on Windows has none."""
    code = """
import socket, sys
del socket.AF_UNIX
from mastra_core.errors import ConfigError
from mastra_deployer_vercel.preview.preview import preview
try:
    preview(None, "127.0.0.1", 0, {})
except ConfigError as error:
    sys.exit(f"{error.message} {error.hint}")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "needs Unix sockets" in done.stderr and "WSL" in done.stderr
    assert "Traceback" not in done.stderr
