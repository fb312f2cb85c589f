"""The launcher of functions, written into a bundle and started as a platform starts it."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import sysconfig

import httpx
import pytest

from mastra_core import virtual_environment
from mastra_core.pipeline import BundleManifest
from mastra_deployer.kit import write_launcher

pytestmark = pytest.mark.slow

APP = """
import os, sys
from pathlib import Path

assert "BREAK" not in os.environ or Path(os.environ["BREAK"]).exists(), "broken at import"
here = Path(__file__).parent

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        with open(here / "starts", "a") as file:
            file.write("x")
        if (here / "fail").exists():
            raise_in_log = {"type": "lifespan.startup.failed", "message": "no database"}
            return await send(raise_in_log)
        scope["state"]["pool"] = "pool-1"
        await send({"type": "lifespan.startup.complete"})
        await receive()
        print("stopped", file=sys.stderr)
        return await send({"type": "lifespan.shutdown.complete"})
    body = scope["state"]["pool"].encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})
"""
# A runtime that serves the app itself, and one that hands a listener in.
OWN = """
import socket, sys, uvicorn
sys.path.insert(0, sys.argv[1])
import entry
uvicorn.run(entry.app, fd=int(sys.argv[2]), lifespan=sys.argv[3], log_level="critical")
"""
HANDED = """
import socket, sys
sys.path.insert(0, sys.argv[1])
import entry
entry.serve(socket.socket(fileno=int(sys.argv[2])))
"""


@pytest.fixture
def directory(tmp_path):
    (tmp_path / "code").mkdir()
    (tmp_path / "code/main.py").write_text(APP)
    shutil.copy(virtual_environment.__file__, tmp_path / "code/mastra_venv.py")
    manifest = BundleManifest(
        app="main:app",
        paths=("code", sysconfig.get_path("purelib")),
        python="3.12",
        wheels="any",
        entry="main:app",
        kind="asgi",
        required=("GREETING",),
    )
    write_launcher(tmp_path / "entry.py", manifest)
    return tmp_path


@contextlib.contextmanager
def serve(directory, program, *arguments, family=socket.AF_UNIX, **environment):
    """Start a runtime on a bound listener; yield a client and what was logged so far."""
    listener, log = socket.socket(family), directory / "log"
    listener.bind(str(directory / "socket") if family == socket.AF_UNIX else ("127.0.0.1", 0))
    listener.listen()
    with log.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-c", program, directory, str(listener.fileno()), *arguments],
            env={
                "PATH": os.environ["PATH"],
                "TMPDIR": str(directory),
                "GREETING": "hi",
                **environment,
            },
            pass_fds=[listener.fileno()],
            stderr=file,
        )
    unix = family == socket.AF_UNIX
    transport = httpx.HTTPTransport(uds=str(directory / "socket") if unix else None)
    host = "app" if unix else f"127.0.0.1:{listener.getsockname()[1]}"
    try:
        with httpx.Client(transport=transport, base_url=f"http://{host}", timeout=30) as client:
            yield client, log
    finally:
        listener.close()
        process.terminate()
        process.wait(20)


@pytest.mark.parametrize("family", [socket.AF_UNIX, socket.AF_INET])
def test_serve_on_a_listener_that_is_handed_in(directory, family):
    with serve(directory, HANDED, family=family) as (client, log):
        assert [client.get("/").text for _ in range(3)] == ["pool-1"] * 3
    assert (directory / "code/starts").read_text() == "x"
    assert "stopped" in log.read_text()


@pytest.mark.parametrize("lifespan", ["on", "off"])
def test_lifespan_runs_once_in_every_runtime(directory, lifespan):
    with serve(directory, OWN, lifespan, family=socket.AF_INET) as (client, _):
        assert [client.get("/").text for _ in range(3)] == ["pool-1"] * 3
    assert (directory / "code/starts").read_text() == "x"


def test_failed_start_is_answered_and_tried_again(directory):
    fail = directory / "code/fail"
    fail.touch()
    with serve(directory, HANDED) as (client, log):
        response = client.get("/")
        assert response.status_code == 500 and response.headers["cache-control"] == "no-store"
        assert response.json() == {"error": "The application cannot start."}
        assert "no database" in log.read_text()
        fail.unlink()
        assert client.get("/").text == client.get("/").text == "pool-1"


def test_failed_import_is_tried_again(directory):
    cure = directory / "cure"
    with serve(directory, HANDED, BREAK=str(cure)) as (client, log):
        assert client.get("/").status_code == 500
        assert "broken at import" in log.read_text() and "main.py" in log.read_text()
        cure.touch()
        assert client.get("/").text == "pool-1"


def test_a_failed_import_is_explained_once_and_by_its_first_error(directory):
    """What the first import left makes the second one fail with another error."""
    code = directory / "code/main.py"
    code.write_text(
        "import sys\nassert not hasattr(sys, 'left'), 'unrelated'\nsys.left = 1\n1 / 0\n"
    )
    with serve(directory, HANDED) as (client, log):
        assert [client.get("/").status_code for _ in range(3)] == [500] * 3
        text = log.read_text()
        assert text.count("Traceback") == 1 and "unrelated" not in text
        still = "error: The application still cannot start: ZeroDivisionError: division by zero\n"
        assert text.endswith(still) and text.count(still) >= 2


def test_missing_variables_are_named_in_the_log_only(directory):
    with serve(directory, HANDED, GREETING="") as (client, log):
        response = client.get("/")
        assert response.status_code == 500 and "GREETING" not in response.text
        assert "Required environment variables are not set: GREETING." in log.read_text()
        assert "Traceback" not in log.read_text()
    assert not (directory / "code/starts").exists()


def test_simultaneous_first_requests_share_one_start(directory):
    from concurrent.futures import ThreadPoolExecutor

    with serve(directory, OWN, "off") as (client, _), ThreadPoolExecutor(8) as pool:
        texts = list(pool.map(lambda _: client.get("/").text, range(8)))
    assert texts == ["pool-1"] * 8
    assert (directory / "code/starts").read_text() == "x"
