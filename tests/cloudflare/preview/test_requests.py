"""`mastra preview cloudflare`: the Worker's entry between the SDK's bridge and an ASGI app."""

import asyncio
import contextlib
import http.server
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx
import pytest
import websockets

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def first_statuses(preview):
    """The statuses of 8 requests at once, of 8 more, and of 50 more."""

    def get_status(_):
        return httpx.get(f"{preview.url}/x", trust_env=False, timeout=60).status_code

    with ThreadPoolExecutor(50) as pool:
        return [list(pool.map(get_status, range(count))) for count in (8, 8, 50)]


@pytest.fixture
def client(preview, first_statuses):
    return preview.client


def test_a_failed_start_is_refused_and_repeated_by_the_next_request(preview, first_statuses):
    """Of the concurrent requests, one starts the app, and the others wait for the same start."""
    assert first_statuses[0] == [500] * 8
    assert first_statuses[1:] == [[200] * 8, [200] * 50]
    facts = preview.client.get("/").json()
    assert facts["starts"] == 2
    assert facts["state"] == {"word": "from the lifespan"}
    assert preview.output.count("RuntimeError: the database is missing") == 1


def test_a_failed_start_reveals_nothing(worker_bundle, preview):
    # The fixture has sent the first requests; their body is the same for all.
    assert "the database is missing" not in preview.client.get("/").text


def test_variables_have_values_with_requests_only(client):
    facts = client.get("/").json()
    assert facts["at_import"] == {"GREETING": None, "SECRET_WORD": None}
    assert facts["now"] == {"GREETING": "hullo", "SECRET_WORD": "sesame-4711"}


def test_values_are_in_no_file_of_the_bundle(worker_bundle):
    for path in worker_bundle.rglob("*"):
        assert path.is_dir() or b"sesame-4711" not in path.read_bytes()


def test_requests_and_responses_arrive_unchanged(client):
    headers = {"x-mine": "1", "CF-Connecting-IP": "6.6.6.6"}
    response = client.post("/a%20b?x=%26&x=2", content=b"\x00\xff" * 50_000, headers=headers)
    facts = response.json()
    assert (facts["method"], facts["path"], facts["query"]) == ("POST", "/a b", "x=%26&x=2")
    assert (facts["size"], facts["client"][0]) == (100_000, "127.0.0.1")
    assert ["x-mine", "1"] in facts["headers"]
    assert facts["server"] == ["127.0.0.1", client.base_url.port]
    assert response.headers.get_list("set-cookie") == ["a=1", "b=2"]


def test_responses_without_a_body(client):
    empty = client.get("/empty")
    assert (empty.status_code, empty.content) == (204, b"")
    redirect = client.get("/redirect")
    assert (redirect.status_code, redirect.headers["location"]) == (307, "/elsewhere?a=%20b")
    head = client.head("/much?1000")
    assert (head.status_code, head.content, head.headers["x-kept"]) == (200, b"", "yes")


def test_large_bodies_arrive_whole(client):
    assert len(client.get("/much?20971520").content) == 20_971_520
    assert client.post("/", content=b"x" * 20_971_520).json()["size"] == 20_971_520


def test_a_body_beyond_the_limit_is_refused_before_it_is_read(client):
    """The limit of an app that sets none is 32 MiB, as an instance has 128 MB of memory."""
    size = (32 << 20) + 1
    assert client.post("/", content=b"x" * size).status_code == 413
    chunks = (b"x" * 65536 for _ in range(size // 65536 + 1))
    assert client.post("/", content=chunks).status_code == 413
    assert client.get("/").status_code == 200


def test_a_stream_arrives_chunk_by_chunk(client):
    with client.stream("GET", "/stream") as response:
        times = [time.monotonic() for line in response.iter_lines() if line]
    assert len(times) == 4 and times[-1] - times[0] > 0.3


@pytest.mark.parametrize("path", ["/break-off", "/break-off?at-once"])
def test_a_response_that_the_app_does_not_complete_is_broken_off(client, path):
    with pytest.raises(httpx.RemoteProtocolError, match="incomplete"):
        client.get(path)


def test_a_failure_after_the_response_is_complete_changes_nothing(client):
    assert client.get("/fail-after").text == "0\n1\n2\n3\n"


def test_timers_may_be_due_already(client):
    assert client.get("/timers").text == "at later"


def test_the_app_learns_that_a_client_has_left(client, preview):
    before = client.get("/").json()["ended"]
    with httpx.stream("GET", f"{preview.url}/endless", trust_env=False) as response:
        next(response.iter_lines())
    end = time.monotonic() + 10
    while client.get("/").json()["ended"] == before:
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize("path", ["/fail", "/cancel"])
def test_an_exception_is_in_the_log_only(client, preview, path):
    response = client.get(path)
    assert (response.status_code, response.json()) == (500, {"error": "Internal Server Error"})
    cause = {"/fail": "RuntimeError: internal-4711", "/cancel": "The request was cancelled"}[path]
    end = time.monotonic() + 5
    while cause not in preview.output:
        assert time.monotonic() < end
        time.sleep(0.05)


def test_code_in_threads_runs_inline(client):
    assert client.get("/threads").json() == ["THREAD", "executor"]


class _Server(http.server.BaseHTTPRequestHandler):
    """Answers with what it got, in pieces or late."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = self.rfile.read(int(self.headers["content-length"] or 0))
        if self.path == "/slow":
            time.sleep(1)
        if self.path == "/held":
            self.connection.settimeout(20)
            self.server.left.append(self.connection.recv(1) == b"")  # not before the client leaves
            return
        facts = json.dumps([self.command, self.path, len(body), self.headers["x-mine"]]).encode()
        pieces = [b"one", b"two"] if self.path in ("/stream", "/stalled") else [facts]
        self.send_response(200)
        for name, value in (("set-cookie", "a=1"), ("set-cookie", "b=2")):
            self.send_header(name, value)
        self.send_header("content-length", str(sum(map(len, pieces))))
        self.end_headers()
        with contextlib.suppress(ConnectionError):  # the clients of /slow and /stalled have left
            for piece in pieces:
                self.wfile.write(piece)
                time.sleep(3 if self.path == "/stalled" else 0.2)

    do_POST = do_GET  # noqa: N815  # the name that the server looks for

    def log_message(self, *_):
        pass


def test_httpx_sends_requests_through_fetch(client):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Server) as server:
        server.daemon_threads, server.left = True, []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        facts = client.get(f"/outbound?http://127.0.0.1:{server.server_address[1]}").json()
        until = time.monotonic() + 20
        while not server.left and time.monotonic() < until:
            time.sleep(0.05)
        server.shutdown()
    assert server.left == [True]
    assert facts == {
        "pieces": ["one", "two"],
        "posted": ["POST", "/", 1000, "1"],
        "cookies": ["a=1", "b=2"],
        "patient": ["GET", "/slow", 0, None],
        "failure": "ReadTimeout, the body took too long",
        "blocking": ["GET", "/blocking", 0, None],
    }


def test_a_cron_trigger_is_a_request_that_clients_cannot_send(client):
    """The address of `wrangler dev` runs a trigger; its other spellings reach the Worker's fetch."""
    path = "/cdn-cgi/handler/scheduled"
    assert client.get(f"{path}?cron=*/5+*+*+*+*&time=1795975532000").text == "ok"
    assert client.get("/").json()["triggers"] == ["cron=%2A%2F5+%2A+%2A+%2A+%2A&time=1795975532000"]
    assert client.get(f"{path}?cron=failing").status_code == 500
    triggers = client.get("/").json()["triggers"]
    for spelling in ("/cdn-cgi/handler/%73cheduled", "/cdn-cgi%2Fhandler//scheduled/"):
        assert client.post(f"{spelling}?cron=forged").status_code == 404
    assert client.get("/").json()["triggers"] == triggers
    assert client.get("/cdn-cgi/handler/other").status_code == 200


def test_websockets(preview, first_statuses):
    async def talk():
        uri = preview.url.replace("http", "ws") + "/socket"
        async with websockets.connect(
            uri, subprotocols=["chat", "other"], proxy=None
        ) as connection:
            facts = json.loads(await connection.recv())
            await connection.send("hello")
            text = await connection.recv()
            await connection.send(b"\x00\xff" * 40_000)
            binary = await connection.recv()
            await connection.send("close")
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await connection.recv()
        return facts, text, binary, closed.value.rcvd

    facts, text, binary, close = asyncio.run(talk())
    assert facts == ["ws", False, ["chat", "other"], 2, "from the lifespan", "127.0.0.1"]
    assert (text, binary) == ("hello", b"\x00\xff" * 40_000)
    assert (close.code, close.reason) == (4001, "as asked")


def test_a_websocket_message_that_is_too_big_ends_only_its_connection(preview, client):
    head = b"\x82\xff" + (1 << 40).to_bytes(8, "big") + b"\0" * 4
    address = urlsplit(preview.url)
    lines = ["GET /socket HTTP/1.1", f"Host: {address.netloc}", "Connection: Upgrade"]
    lines += ["Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: x"]
    with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + head)
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    assert received.startswith(b"HTTP/1.1 101 ")
    assert received.endswith(b"\x88\x02" + (1009).to_bytes(2, "big"))
    assert client.get("/").status_code == 200
