"""The bridge of a function between AWS Lambda and the app: requests, responses and variables."""

import asyncio
import os
import signal
import threading
import time
import zipfile

import httpx
import pytest

from mastra_deployer_netlify.bundle.output import FUNCTIONS
from tests.conftest import run_mastra
from tests.netlify.function_process import CLIENT, run_function
from tests.sample_projects import write_project

pytestmark = pytest.mark.slow

ASGI = "async def app(scope, receive, send):\n    pass\n"
MASTRA = "from mastra_core import Mastra\n\napp = Mastra()\n"


def count(function):
    return function.client.get("/count").json()


def wait_until(check, seconds=10):
    deadline = time.monotonic() + seconds
    while not (result := check()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return result


def test_each_module_that_a_start_imports_has_bytecode(function_archive):
    """Also a module of the standard library that no import statement names."""
    with zipfile.ZipFile(function_archive) as archive:
        names = [name.rpartition("/")[2] for name in archive.namelist()]
    compiled = {name.partition(".")[0] for name in names if name.endswith(".pyc")}
    assert "imaplib" in compiled
    assert "poplib.py" in names and "poplib" not in compiled


@pytest.mark.parametrize("source", [ASGI, MASTRA], ids=["asgi", "mastra"])
def test_modules_that_only_the_server_imports_have_bytecode(bootstrap, tmp_path, source):
    """uvicorn calls functions of multiprocessing that import two modules."""
    root, out = write_project(tmp_path / "app", {"main.py": source}), tmp_path / "out"
    options = ("--app", "main:app", "-s", "project_name=shop", "-o", out)
    run_mastra("bundle", "netlify", *options, cwd=root).ok()
    with zipfile.ZipFile(out / FUNCTIONS / "api.zip") as archive:
        compiled = [name for name in archive.namelist() if name.endswith(".pyc")]
    for module in ("connection", "util"):
        assert any(f"multiprocessing/__pycache__/{module}." in name for name in compiled)


def test_requests_and_responses_arrive_unchanged(function):
    headers = {"x-mine": "1", "host": "shop.netlify.app"}
    response = function.client.post("/a%20b/%C3%A9", content=b"x" * 2_000_000, headers=headers)
    facts = response.json()
    assert (facts["method"], facts["path"]) == ("POST", "/a%20b/%C3%A9")
    assert facts["size"] == 2_000_000
    assert ["x-mine", "1"] in facts["headers"]
    assert ["host", "shop.netlify.app"] in facts["headers"]
    assert response.headers.get_list("set-cookie") == ["a=1", "b=2"]


def test_the_app_has_certificates_and_a_utf8_locale_and_no_variables_of_python(function):
    facts = function.client.get("/").json()
    assert function.client.get("/certificates").json() > 0
    assert facts["language"] == "C.UTF-8"
    assert facts["python_variables"] == []


def test_a_client_cannot_forge_its_address(function):
    forged = {"x-forwarded-for": "6.6.6.6", "x-forwarded-proto": "gopher", "x-real-ip": "6.6.6.6"}
    forged |= {"forwarded": "for=6.6.6.6", "x-nf-client-connection-ip": "6.6.6.6"}
    facts = function.client.get("/", headers=forged).json()
    assert facts["client"][0] == CLIENT
    assert facts["scheme"] == "https"
    assert "6.6.6.6" not in str(facts["headers"])


def test_variables_of_a_request_reach_the_app(function):
    client = function.client
    assert client.get("/").json()["database"] is None
    for url in ("postgres://one", "postgres://two"):
        function.set_event(netlifyDBURL=url)
        facts = client.get("/").json()
        assert facts["database"] == url
        assert "x-mastra-environment" not in str(facts["headers"])
    forged = {"x-mastra-environment": "eyJORVRMSUZZX0RCX1VSTCI6ICJldmlsIn0="}
    assert client.get("/", headers=forged).json()["database"] != "evil"
    function.set_event()


@pytest.mark.parametrize("status", [204, 304, 404, 500])
def test_statuses_arrive_unchanged(function, status):
    response = function.client.get(f"/?{status}")
    assert response.status_code == status
    assert response.headers["x-own"] == "1"


def test_a_head_request_has_no_body(function):
    response = function.client.head("/")
    assert (response.status_code, response.content) == (200, b"")


def test_a_body_of_unknown_length_arrives(function):
    facts = function.client.request("DELETE", "/", content=iter([b"x" * 1000] * 100)).json()
    assert facts["size"] == 100_000


@pytest.mark.parametrize("size", [1_000, 3_000_000])
def test_an_answer_without_reading_the_body_arrives(function, size):
    response = function.client.post("/refuse", content=b"x" * size)
    assert (response.status_code, response.text) == (413, "too much")
    assert function.client.get("/").status_code == 200


def test_a_stream_arrives_chunk_by_chunk(function):
    with function.client.stream("GET", "/stream") as response:
        times = [time.monotonic() for line in response.iter_lines() if line]
    assert len(times) == 4
    assert times[-1] - times[0] > 0.5


def test_a_large_response_arrives_whole(function):
    assert len(function.client.get("/much?5242880").content) == 5_242_880


def test_the_app_sends_as_fast_as_the_client_reads_and_learns_that_it_left(function):
    left = count(function)["left"]
    with (
        httpx.Client(base_url=function.client.base_url, trust_env=False) as client,
        client.stream("GET", "/flood") as response,
    ):
        next(response.iter_raw())
        time.sleep(0.3)
        sent = count(function)["sent"]
        time.sleep(0.3)
        assert count(function)["sent"] == sent < 12_000_000
    wait_until(lambda: count(function)["left"] == left + 1)


def test_the_app_learns_that_a_client_left_before_its_answer(function):
    left = count(function)["left"]
    with pytest.raises(httpx.ReadTimeout):
        function.client.get("/wait", timeout=0.3)
    wait_until(lambda: count(function)["left"] == left + 1)


def test_connections_are_kept(function):
    process = function.client.get("/").json()["process"]
    for _ in range(20):
        function.client.get("/")
    sockets = [os.readlink(f"/proc/{process}/fd/{fd}") for fd in os.listdir(f"/proc/{process}/fd")]
    ours = {name for name in sockets if name.startswith("socket:")}
    for _ in range(20):
        function.client.get("/")
    names = [os.readlink(f"/proc/{process}/fd/{fd}") for fd in os.listdir(f"/proc/{process}/fd")]
    assert {name for name in names if name.startswith("socket:")} == ours


def test_a_connection_that_python_closed_is_not_used_again(function):
    for _ in range(5):
        assert function.client.get("/break").text == "last"
        assert function.client.post("/", content=b"12345").json()["size"] == 5


def test_many_requests_at_a_time_are_answered(function):
    async def send_all():
        limits = httpx.Limits(max_connections=50)
        address = function.client.base_url
        async with httpx.AsyncClient(
            base_url=address, limits=limits, timeout=30, trust_env=False
        ) as client:
            return await asyncio.gather(
                *(client.post("/", content=b"x" * size) for size in range(50))
            )

    responses = asyncio.run(send_all())
    assert [response.json()["size"] for response in responses] == list(range(50))


def test_a_killed_python_is_replaced_under_load(function):
    client = function.client
    process = client.get("/").json()["process"]
    statuses, stop = [], threading.Event()

    def send_requests():
        with httpx.Client(base_url=client.base_url, timeout=30, trust_env=False) as own:
            while not stop.is_set():
                statuses.append(own.post("/", content=b"hello").status_code)

    threads = [threading.Thread(target=send_requests) for _ in range(8)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(statuses) > 50)
    os.kill(process, signal.SIGKILL)
    before = len(statuses)
    wait_until(lambda: len(statuses) > before + 100, 30)
    stop.set()
    for thread in threads:
        thread.join()
    assert set(statuses) <= {200, 502}
    assert statuses.count(502) <= len(threads), "only requests under way may fail"
    facts = client.post("/", content=b"hello").json()
    assert (facts["process"] != process, facts["size"]) == (True, 5)


def read_slowly(client, path):
    with client.stream("GET", path) as response:
        for _ in response.iter_raw():
            time.sleep(0.01)


def test_a_request_ends_before_the_platforms_deadline(function_directory, tmp_path):
    environment = {"FAILURE": str(tmp_path / "none")}
    with run_function(function_directory, tmp_path / "tmp", environment, timeout=1.5) as function:
        started = time.monotonic()
        response = function.client.get("/wait")
        assert response.status_code == 504 and time.monotonic() - started < 1.5
        assert count(function)["left"] == 1
        with pytest.raises(httpx.RemoteProtocolError):
            read_slowly(function.client, "/flood")
        wait_until(lambda: count(function)["left"] == 2)
        assert "time of the request is over" in function.log.read_text()
