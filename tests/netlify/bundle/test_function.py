"""The zip of a function, unpacked and run by Node in a warm stand-in for AWS Lambda."""

import os
import re
import shutil
import signal
import time
from pathlib import Path

import pytest

from mastra_deployer_netlify.bundle.output import FUNCTIONS
from tests.conftest import run_mastra
from tests.netlify.bundle.function_process import get_log, run_function, unpack_function
from tests.sample_projects import write_project

pytestmark = pytest.mark.slow

APP = """
import asyncio
import json
import os
import ssl
from pathlib import Path

if Path(os.environ["FAILURE"]).exists():
    raise RuntimeError("a word that only the log has")


async def read(receive):
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


async def stream(send):
    for number in range(4):
        body = b"data: %d\\n\\n" % number
        await send({"type": "http.response.body", "body": body, "more_body": True})
        await asyncio.sleep(0.3)
    await send({"type": "http.response.body", "body": b""})


async def app(scope, receive, send):
    if scope["type"] != "http":
        raise RuntimeError("no lifespan")
    body = await read(receive)
    status = int(scope["query_string"] or b"200")
    headers = [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    if scope["path"] == "/stream":
        return await stream(send)
    facts = {
        "method": scope["method"],
        "path": scope["raw_path"].decode(),
        "client": scope["client"],
        "scheme": scope["scheme"],
        "headers": [[name.decode(), value.decode()] for name, value in scope["headers"]],
        "size": len(body),
        "process": os.getpid(),
        "database": os.environ.get("NETLIFY_DB_URL"),
        "certificates": len(ssl.create_default_context().get_ca_certs()),
    }
    text = b"" if status == 204 else json.dumps(facts).encode()
    await send({"type": "http.response.body", "body": text})
"""


@pytest.fixture(scope="module")
def archive(bootstrap, tmp_path_factory):
    """The zip of a function with a real Python."""
    directory = tmp_path_factory.mktemp("function")
    config = '[tool.mastra.env]\nrequired = ["FAILURE"]\n'
    root = write_project(directory / "app", {"main.py": APP}, config)
    options = ("--app", "main:app", "-s", "project_name=shop", "-o", directory / "out")
    run_mastra("bundle", "netlify", *options, cwd=root, FAILURE=str(root / "none")).ok()
    yield directory / "out" / FUNCTIONS / "api.zip"
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
def function(archive, tmp_path_factory):
    """The unpacked function, running."""
    directory = unpack_function(archive, tmp_path_factory.mktemp("instance") / "function")
    with run_function(directory, FAILURE=str(directory.parent / "none")) as client:
        yield client, directory


def test_requests_and_responses_arrive_unchanged(function):
    client, _ = function
    response = client.post("/a%20b/%C3%A9", content=b"x" * 2_000_000, headers={"x-mine": "1"})
    facts = response.json()
    assert (facts["method"], facts["path"]) == ("POST", "/a%20b/%C3%A9")
    assert facts["size"] == 2_000_000
    assert ["x-mine", "1"] in facts["headers"]
    assert ["host", "shop.netlify.app"] in facts["headers"]
    assert response.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert facts["certificates"] > 0


def test_a_client_cannot_forge_its_address(function):
    forged = {"x-forwarded-for": "6.6.6.6", "x-forwarded-proto": "gopher", "x-real-ip": "6.6.6.6"}
    facts = function[0].get("/", headers={**forged, "forwarded": "for=6.6.6.6"}).json()
    assert facts["client"][0] == "203.0.113.7"
    assert facts["scheme"] == "https"
    assert "6.6.6.6" not in str(facts["headers"])


def test_variables_of_a_request_reach_the_app(function):
    client, _ = function
    assert client.get("/").json()["database"] is None
    for url in ("postgres://one", "postgres://two"):
        facts = client.get("/", headers={"x-stand-in-database": url}).json()
        assert facts["database"] == url
        assert "x-mastra-environment" not in str(facts["headers"])
    forged = {"x-mastra-environment": "eyJORVRMSUZZX0RCX1VSTCI6ICJldmlsIn0="}
    assert client.get("/", headers=forged).json()["database"] != "evil"


@pytest.mark.parametrize("status", [204, 304, 404, 500])
def test_statuses_arrive_unchanged(function, status):
    response = function[0].get(f"/?{status}")
    assert response.status_code == status
    assert bool(response.content) == (status not in (204, 304))


def test_head_has_no_body(function):
    response = function[0].head("/")
    assert (response.status_code, response.content) == (200, b"")


def test_a_body_of_unknown_length_arrives(function):
    facts = function[0].request("DELETE", "/", content=iter([b"x" * 1000] * 100)).json()
    assert facts["size"] == 100_000


def test_a_stream_arrives_chunk_by_chunk(function):
    with function[0].stream("GET", "/stream") as response:
        times = [time.monotonic() for _ in response.iter_lines()]
    assert times[-1] - times[0] > 0.5


def test_nothing_of_the_host_is_loaded(function):
    client, directory = function
    process = client.get("/").json()["process"]
    maps = Path(f"/proc/{process}/maps").read_text()
    foreign = set(re.findall(r"(/\S+)$", maps, re.MULTILINE))
    foreign = {path for path in foreign if not path.startswith(str(directory))}
    assert not [path for path in foreign if "/locale/" not in path and "/gconv/" not in path]


def test_a_killed_python_is_replaced_at_the_next_request(function):
    client, _ = function
    process = client.get("/").json()["process"]
    os.kill(process, signal.SIGKILL)
    time.sleep(0.1)
    facts = client.post("/", content=b"hello").json()
    assert facts["process"] != process
    assert facts["size"] == 5


def test_an_instance_without_modes_fails_recovers_and_leaves_nothing(archive, tmp_path):
    directory = unpack_function(archive, tmp_path / "function", keep_modes=False)
    failure = tmp_path / "failure"
    with run_function(directory, FAILURE=str(failure)) as client:
        process = client.get("/").json()["process"]
        failure.touch()
        os.kill(process, signal.SIGKILL)
        time.sleep(0.2)
        response = client.get("/")
        assert response.status_code == 500
        assert "only the log" not in response.text
        assert "only the log" in get_log(directory).read_text()
        failure.unlink()
        process = client.get("/").json()["process"]
    deadline = time.monotonic() + 5
    while Path(f"/proc/{process}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{process}").exists(), "Python is left behind"
