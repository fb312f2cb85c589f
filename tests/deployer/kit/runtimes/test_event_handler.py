"""The handler of HTTP events, written into a bundle and served by its preview."""

import base64
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import httpx
import pytest

from mastra_core import virtual_environment
from mastra_core.errors import BundleError
from mastra_core.pipeline import BundleManifest
from mastra_deployer.kit import write_event_handler

pytestmark = pytest.mark.slow

VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"
APP = """
import json, os

STARTS = []

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        STARTS.append(1)
        scope["state"]["pool"] = "pool-1"
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        return await send({"type": "lifespan.shutdown.complete"})
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    if scope["path"] == "/broken":
        raise RuntimeError("secret-of-the-app")
    if scope["path"] == "/silent":
        return
    if scope["path"] == "/large":
        body = b"x" * 7_000_000
    seen = {
        "method": scope["method"], "path": scope["path"], "query": scope["query_string"].decode(),
        "headers": [[k.decode(), v.decode("latin-1")] for k, v in scope["headers"]],
        "client": scope["client"][0], "pool": scope["state"]["pool"], "starts": len(STARTS),
        "size": len(body), "variables": sorted(os.environ),
    }
    content = body if scope["path"] in ("/bytes", "/large") else json.dumps(seen).encode()
    headers = [(b"x-one", b"1"), (b"x-one", b"2"), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]
    await send({"type": "http.response.start", "status": 201, "headers": headers})
    half = len(content) // 2
    await send({"type": "http.response.body", "body": content[:half], "more_body": True})
    await send({"type": "http.response.body", "body": content[half:]})
    assert (await receive())["type"] == "http.disconnect"
"""
PREVIEW = """
import sys
from pathlib import Path
from types import SimpleNamespace
from mastra_core import Secret
from mastra_deployer.kit import preview_handler
bundle = SimpleNamespace(directory=Path(sys.argv[1]), manifest=SimpleNamespace(python=sys.argv[2]))
sys.exit(preview_handler(
    bundle, "handler.handler", host="127.0.0.1", port=0,
    env={"GREETING": Secret("hi")}, variables={"AWS_REGION": "eu-west-1"},
))
"""


CALLS = """
import json, sys
sys.path.insert(0, "")
import handler
for line in sys.stdin:
    try:
        answer = {"result": handler.handler(json.loads(line), None)}
    except ValueError as error:
        answer = {"refused": str(error)}
    print(json.dumps(answer), flush=True)
handler.loop.run_until_complete(handler.launcher.INSTANCE.stop())
"""


def write_bundle(directory):
    (directory / "code").mkdir(parents=True)
    (directory / "code/main.py").write_text(APP)
    shutil.copy(virtual_environment.__file__, directory / "code/mastra_venv.py")
    manifest = BundleManifest(
        app="main:app",
        paths=("code",),
        python=VERSION,
        wheels="any",
        entry="main:app",
        kind="asgi",
        required=("GREETING",),
    )
    write_event_handler(directory / "handler.py", manifest)
    return directory


@contextlib.contextmanager
def serve_preview(directory, log):
    command = [sys.executable, "-c", PREVIEW, str(directory), VERSION]
    environment = {**os.environ, "SECRET_OF_THIS_SHELL": "x"}
    with log.open("w") as file:
        process = subprocess.Popen(command, stderr=file, stdout=file, env=environment)
    try:
        end = time.monotonic() + 60
        while not (served := re.search(r"Serving handler\.handler on (\S+)\n", log.read_text())):
            assert process.poll() is None and time.monotonic() < end, log.read_text()
            time.sleep(0.05)
        with httpx.Client(base_url=served[1], timeout=30) as client:
            yield client
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def preview(tmp_path_factory):
    root = tmp_path_factory.mktemp("events")
    with serve_preview(write_bundle(root / "bundle"), root / "log") as client:
        client.log = root / "log"
        yield client


def test_a_request_reaches_the_app_unchanged(preview):
    headers = {"x-a": "1", "cookie": "c=1; d=2"}
    response = preview.put("/a%20b/%C3%BC?k=1&k=a+b&e=%26", headers=headers, content=b"\x00\xff")
    seen = response.json()
    assert response.status_code == 201
    assert (seen["method"], seen["path"], seen["query"]) == ("PUT", "/a b/ü", "k=1&k=a+b&e=%26")
    assert ["x-a", "1"] in seen["headers"] and ["cookie", "c=1; d=2"] in seen["headers"]
    assert (seen["size"], seen["client"]) == (2, "127.0.0.1")
    assert (seen["pool"], seen["starts"]) == ("pool-1", 1)
    assert {"GREETING", "AWS_REGION"} <= set(seen["variables"])
    assert "SECRET_OF_THIS_SHELL" not in seen["variables"]


def test_a_response_reaches_the_client_unchanged(preview):
    response = preview.post("/bytes", content=bytes(range(256)))
    assert response.content == bytes(range(256))
    assert response.headers["x-one"] == "1, 2"
    assert response.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert preview.post("/bytes", content="Grüße, 世界").text == "Grüße, 世界"
    assert preview.head("/bytes").content == b""


@pytest.mark.parametrize("path", ["/broken", "/silent"])
def test_a_failed_request_reveals_nothing_and_the_app_goes_on(preview, path):
    response = preview.get(path)
    assert (response.status_code, response.json()) == (500, {"error": "Internal Server Error"})
    assert path != "/broken" or "secret-of-the-app" in preview.log.read_text()
    assert preview.get("/").json()["starts"] == 1


def test_limits_are_those_of_the_platform(preview):
    assert preview.post("/", content=b"x" * 6_291_457).status_code == 413
    assert preview.post("/", content=b"x" * 6_000_000).json()["size"] == 6_000_000
    assert preview.get("/large").status_code == 502


@pytest.mark.parametrize("module", ["handler.py", "handler_app.py", "handler/__init__.py"])
def test_a_module_of_the_app_keeps_its_name(tmp_path, module):
    """Only one of two modules with a name can be imported."""
    file = tmp_path / "app" / module
    file.parent.mkdir(parents=True)
    file.touch()
    manifest = BundleManifest(
        app="index:app", paths=("app", "vendor"), python=VERSION, wheels="any", entry="index:app"
    )
    with pytest.raises(BundleError, match="the module 'handler") as raised:
        write_event_handler(tmp_path / "handler.py", manifest)
    assert "Rename" in raised.value.hint
    write_event_handler(tmp_path / "mastra_handler.py", manifest)


def test_a_handler_that_cannot_be_imported_ends_the_preview(tmp_path):
    directory = write_bundle(tmp_path / "bundle")
    (directory / "handler_app.py").unlink()
    with (
        pytest.raises(AssertionError, match="The handler does not start"),
        serve_preview(directory, tmp_path / "log"),
    ):
        pass
    assert "handler_app" in (tmp_path / "log").read_text()


@pytest.fixture(scope="module")
def call(tmp_path_factory):
    """Return a function that calls the handler with an event of a platform.

    The handler runs in a process of its own, because its start changes the whole process.
    """
    directory = write_bundle(tmp_path_factory.mktemp("direct") / "bundle")
    process = subprocess.Popen(
        [sys.executable, "-c", CALLS],
        cwd=directory,
        env={**os.environ, "GREETING": "hi"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def send_event(event):
        process.stdin.write(json.dumps(event) + "\n")
        process.stdin.flush()
        answer = json.loads(process.stdout.readline())
        if "refused" in answer:
            raise ValueError(answer["refused"])
        return answer["result"]

    yield send_event
    process.stdin.close()
    assert process.wait(20) == 0
    process.stdout.close()


def build_event(path="/", stage="$default", **fields):
    http = {"method": "GET", "path": path, "sourceIp": "192.0.2.1"}
    return {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"host": "x.lambda-url.example"},
        "requestContext": {"http": http, "stage": stage},
        **fields,
    }


def test_a_named_stage_of_api_gateway_is_no_part_of_the_path(call):
    assert json.loads(call(build_event("/prod/a", "prod"))["body"])["path"] == "/a"
    assert json.loads(call(build_event("/prod", "prod"))["body"])["path"] == "/"
    assert json.loads(call(build_event("/prod/a"))["body"])["path"] == "/prod/a"


def test_bytes_and_cookies_of_an_event(call):
    body = base64.b64encode(b"\xff\xfe").decode()
    event = build_event("/bytes", body=body, isBase64Encoded=True, cookies=["a=1", "b=2"])
    result = call(event)
    assert (result["body"], result["isBase64Encoded"]) == (body, True)
    assert result["cookies"] == ["a=1", "b=2"] and "set-cookie" not in result["headers"]
    result = call(build_event("/bytes", body="Grüße"))
    assert (result["body"], result["isBase64Encoded"]) == ("Grüße", False)


def test_headers_beyond_latin_1_reach_the_app_in_utf_8(call):
    event = build_event(headers={"host": "x.example", "x-city": "Zürich", "x-name": "世界"})
    headers = dict(json.loads(call(event)["body"])["headers"])
    assert headers["x-city"] == "Zürich"
    assert headers["x-name"].encode("latin-1").decode() == "世界"


@pytest.mark.parametrize(
    "event",
    [{}, None, [], {"requestContext": {}}, {"requestContext": None}, {"source": "aws.events"}],
)
def test_an_event_of_another_kind_is_refused(call, event):
    with pytest.raises(ValueError, match=r"not an HTTP event of version 2\.0"):
        call(event)
