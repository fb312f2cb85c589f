"""Test request heads that are too large, never end, or offer an upgrade."""

import contextlib
import socket
import time

import httpx
import pytest

APP = """
from mastra_server.http import connections
from mastra_core import ApiRoute
from tests.server.sample_app import create_sample
connections.HEAD_TIMEOUT = 0.5


def list_headers(request):
    return {"client": request.client.host, "headers": sorted(request.headers)}


routes = [ApiRoute(path="/headers", handler=list_headers, method="POST")]
mastra = create_sample(server={"api_routes": routes})
"""
HEAD = b"GET /health HTTP/1.1\r\nhost: x\r\n"


@pytest.fixture
def connect(process):
    _, port = process(APP)
    made = []

    def start():
        made.append(socket.create_connection(("127.0.0.1", port), timeout=5))
        return made[-1]

    yield start
    for each in made:
        each.close()


def read_status_line(connection):
    """Return the status line once the whole response has arrived."""
    return read_response(connection).partition(b"\r\n")[0]


def read_response(connection):
    seen = b""
    with contextlib.suppress(ConnectionError):
        while b"\r\n\r\n" not in seen or (b" 200 " in seen and not seen.endswith(b"}")):
            piece = connection.recv(300)
            if not piece:
                break
            seen += piece
    return seen


def test_large_heads(connect):
    fine = connect()
    fine.sendall(HEAD + b"x: " + b"y" * 30_000 + b"\r\n\r\n")
    assert read_status_line(fine) == b"HTTP/1.1 200 OK"
    fine.sendall(HEAD + b"\r\n")
    assert read_status_line(fine) == b"HTTP/1.1 200 OK"
    large = connect()
    with pytest.raises(ConnectionError):
        large.sendall(HEAD + (b"x: " + b"y" * 30_000 + b"\r\n") * 200)
    line = connect()
    line.sendall(b"GET /" + b"y" * 60_000)
    time.sleep(0.1)
    line.sendall(b"y" * 60_000)
    assert read_status_line(line) in (b"HTTP/1.1 431 Request Header Fields Too Large", b"")


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_several_host_headers(connect, version):
    """A proxy in front may use another one of the headers than the application."""
    line = b"GET /health HTTP/" + version + b"\r\n"
    repeated = connect()
    repeated.sendall(line + b"host: a\r\nHost: b\r\n\r\n" + line + b"host: a\r\n\r\n")
    assert read_status_line(repeated) == b"HTTP/1.1 400 Bad Request"
    assert repeated.recv(300) == b""
    fine = connect()
    fine.sendall(line + b"host: a\r\nx-host: b\r\n\r\n")
    assert read_status_line(fine) == b"HTTP/1.1 200 OK"


@pytest.mark.parametrize("length", [64_000, 70_000, 200_000])
@pytest.mark.parametrize("part", ["header", "headers", "target"])
def test_heads_in_one_piece(connect, length, part):
    text = b"y" * length
    lines = b"".join(b"x%d: " % index + b"y" * 900 + b"\r\n" for index in range(length // 906))
    head = {
        "header": HEAD + b"x: " + text + b"\r\n\r\n",
        "headers": HEAD + lines + b"\r\n",
        "target": b"GET /health?" + text + b" HTTP/1.1\r\nhost: x\r\n\r\n",
    }[part]
    connection = connect()
    with contextlib.suppress(ConnectionError):
        connection.sendall(head)
    expected = [b"200 OK"] if length < 65_536 else [b"431 Request Header Fields Too Large", b""]
    assert read_status_line(connection).removeprefix(b"HTTP/1.1 ") in expected


def send_again_and_again(connection, piece):
    for _ in range(100_000_000 // len(piece)):
        connection.sendall(piece)


@pytest.mark.parametrize("trailer", [b"x: y\r\n", b"y" * 1000])
def test_trailers(connect, trailer):
    head = (
        b"POST /api/tools/whoami/execute HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    body = b'c\r\n{"data": {}}\r\n0\r\n'
    fine = connect()
    fine.sendall(head + body + b"x: y\r\n" * 10 + b"\r\n")
    assert read_status_line(fine) == b"HTTP/1.1 200 OK"
    endless = connect()
    endless.sendall(head + body)
    with pytest.raises(ConnectionError):
        send_again_and_again(endless, trailer)


@pytest.mark.parametrize("length", [60_000, 70_000])
def test_trailers_in_one_piece(connect, length):
    """The end of the body and the trailers may arrive in one read."""
    head = (
        b"POST /api/tools/whoami/execute HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    connection = connect()
    with contextlib.suppress(ConnectionError):
        connection.sendall(head + b'c\r\n{"data": {}}\r\n0\r\nx: ' + b"y" * length + b"\r\n\r\n")
    expected = [b"200 OK"] if length < 65_536 else [b"431 Request Header Fields Too Large", b""]
    assert read_status_line(connection).removeprefix(b"HTTP/1.1 ") in expected


def test_trailers_are_no_headers(connect):
    """A proxy passes trailers on, but it removes and sets headers only."""
    head = b"POST /headers HTTP/1.1\r\nhost: x\r\nx-forwarded-for: 192.0.2.1\r\n"
    head += b"transfer-encoding: chunked\r\n\r\n"
    rest = b"2\r\n{}\r\n0\r\nauthorization: Bearer x\r\nx-forwarded-for: 192.0.2.2\r\n\r\n"
    connection = connect()
    for pieces in ([head + rest], [head, rest]):
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(0.05)
        text = read_response(connection)
        assert b'"client":"192.0.2.1"' in text
        assert b'"headers":["host","transfer-encoding","x-forwarded-for"]' in text


@pytest.mark.parametrize("trailer", [b"connection: close", b"x: y\r\nConnection: x, Close"])
@pytest.mark.parametrize("offer", [b"", b"connection: upgrade\r\nupgrade: h2c\r\n"])
def test_trailers_do_not_end_the_connection(connect, trailer, offer):
    """A proxy passes trailers on, and sends the requests of others over the same connection."""
    head = b"POST /headers HTTP/1.1\r\nhost: x\r\n" + offer + b"transfer-encoding: chunked\r\n\r\n"
    connection = connect()
    connection.sendall(head + b"2\r\n{}\r\n0\r\n" + trailer + b"\r\n\r\n")
    assert read_status_line(connection) == b"HTTP/1.1 200 OK"
    connection.sendall(HEAD + b"\r\n")
    assert read_status_line(connection) == b"HTTP/1.1 200 OK"


@pytest.mark.parametrize(
    "rest",
    [b"\r\n", b"\0garbage\r\n", HEAD + b"\r\n", HEAD * 4000],
    ids=["empty line", "garbage", "request", "long head"],
)
@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
@pytest.mark.parametrize("pause", [0, 0.05])
def test_data_after_the_last_request_is_ignored(connect, version, rest, pause):
    head = b"POST /headers HTTP/" + version + b"\r\nhost: x\r\nconnection: close\r\n"
    connection = connect()
    connection.sendall(head + b"content-length: 2\r\n\r\n{}" + (b"" if pause else rest))
    if pause:
        time.sleep(pause)
        with contextlib.suppress(ConnectionError):
            connection.sendall(rest)
    answer = b""
    with contextlib.suppress(ConnectionError):
        while piece := connection.recv(10_000):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert answer.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize(
    "rest",
    [b"no chunk\r\n", b"0\r\n" + b"x: y\r\n" * 20_000],
    ids=["no chunk", "long trailers"],
)
def test_an_answered_request_gets_no_second_response(connect, rest):
    """A proxy could pass a second response on to another client."""
    connection = connect()
    connection.sendall(b"POST /unknown HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
    answer = connection.recv(10_000)
    assert answer.startswith(b"HTTP/1.1 404")
    with contextlib.suppress(ConnectionError):
        connection.sendall(rest)
    with contextlib.suppress(ConnectionError):
        while piece := connection.recv(10_000):
            answer += piece
    assert answer.count(b"HTTP/1.1") == 1


def test_many_chunks(connect):
    """The framing of chunks is no part of the head."""
    head = (
        b"POST /api/tools/whoami/execute HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    text = b'{"data": {}, "x": "' + b"y" * 50_000 + b'"}'
    connection = connect()
    connection.sendall(head + b"".join(b"1\r\n%c\r\n" % each for each in text) + b"0\r\n\r\n")
    assert read_status_line(connection) == b"HTTP/1.1 200 OK"


def test_incomplete_heads(connect):
    silent, slow, second = connect(), connect(), connect()
    slow.sendall(HEAD)
    second.sendall(HEAD + b"\r\n")
    assert read_status_line(second) == b"HTTP/1.1 200 OK"
    second.sendall(HEAD)
    for each in (silent, slow, second):  # none of them sends a whole head
        assert read_status_line(each) == b"HTTP/1.1 408 Request Timeout"


def test_large_body(connect):
    body = b'{"data": {"a": 1, "b": 2, "c": "' + b"x" * 300_000 + b'"}}'
    for _ in range(2):
        connection = connect()
        head = b"POST /api/tools/whoami/execute HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n"
        connection.sendall(head % len(body) + body[:1000])
        time.sleep(0.6)
        connection.sendall(body[1000:])
        assert read_status_line(connection) == b"HTTP/1.1 200 OK"


@pytest.mark.parametrize(
    ("request_", "piece"),
    [
        (HEAD + b"\r\n", b"\r\n"),  # which may precede a request
        (b"POST /unknown HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n", b"x"),
    ],
)
def test_data_without_a_request_does_not_keep_a_connection_open(
    process, monkeypatch, request_, piece
):
    monkeypatch.setenv("KEEP_ALIVE", "1")
    _, port = process(APP)
    with socket.create_connection(("127.0.0.1", port), timeout=0.1) as connection:
        connection.sendall(request_)
        assert connection.recv(12) in (b"HTTP/1.1 200", b"HTTP/1.1 404")
        assert wait_for_end(connection, piece)


def wait_for_end(connection, piece):
    """Send a piece again and again until the connection is closed."""
    for _ in range(100):
        try:
            connection.sendall(piece)
            while connection.recv(10_000):
                pass
        except TimeoutError:
            continue
        except ConnectionError:
            return True
        return True
    return False


UPGRADES = {
    "h2c": b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n",
    "websocket": b"connection: keep-alive, upgrade\r\nupgrade: websocket\r\n",
}


@pytest.mark.parametrize("upgrade", UPGRADES)
@pytest.mark.parametrize("length", [1, 7, 64_000])
@pytest.mark.parametrize(
    "body",
    [
        b'content-length: 17\r\n\r\n{"messages":"hi"}',
        b'transfer-encoding: chunked\r\n\r\n5\r\n{"mes\r\nc\r\nsages":"hi"}\r\n0\r\n\r\n',
    ],
)
def test_a_request_that_offers_an_upgrade_has_its_body(connect, upgrade, length, body):
    head = b"POST /api/agents/echoAgent/generate HTTP/1.1\r\nhost: x\r\n"
    sent = head + UPGRADES[upgrade] + b"content-type: application/json\r\n" + body
    connection = connect()
    for start in range(0, len(sent), length):
        connection.sendall(sent[start : start + length])
    answer = read_response(connection)
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b'"hi"' in answer
    connection.sendall(HEAD + b"\r\n")
    assert read_status_line(connection) == b"HTTP/1.1 200 OK"


@pytest.mark.parametrize(
    ("version", "options"),
    [("1.1", "close, upgrade"), ("1.0", "upgrade"), ("1.0", "keep-alive, upgrade")],
)
def test_the_last_request_of_a_connection_offers_an_upgrade(connect, version, options):
    body = b'{"messages":"hi"}'
    head = (
        f"POST /api/agents/echoAgent/generate HTTP/{version}\r\nhost: x\r\nconnection: {options}\r\n"
        f"upgrade: h2c\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    connection = connect()
    connection.sendall(head.encode() + body)
    answer = read_response(connection)
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b'"hi"' in answer


def test_a_websocket_whose_last_connection_header_is_no_upgrade_is_a_plain_request(connect):
    connection = connect()
    split = UPGRADES["websocket"] + b"connection: keep-alive\r\n\r\n"
    connection.sendall(HEAD + split + HEAD + b"connection: close\r\n\r\n")
    answers = b""
    while piece := connection.recv(10_000):
        answers += piece
    assert answers.count(b"HTTP/1.1 200 OK") == 2


@pytest.mark.parametrize(
    "body", [b"content-length: 5\r\n\r\nhello", b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n"]
)
def test_a_websocket_that_begins_with_a_body_is_a_plain_request(connect, body):
    connection = connect()
    connection.sendall(HEAD + UPGRADES["websocket"] + body)
    assert read_status_line(connection) == b"HTTP/1.1 200 OK"
    connection.sendall(HEAD + b"\r\n")
    assert read_status_line(connection) == b"HTTP/1.1 200 OK"


def test_pipelined_requests_that_offer_an_upgrade(connect):
    connection = connect()
    connection.sendall((HEAD + UPGRADES["h2c"] + b"\r\n") * 2 + HEAD + b"connection: close\r\n\r\n")
    answers = b""
    while piece := connection.recv(10_000):
        answers += piece
    assert answers.count(b"HTTP/1.1 200 OK") == 3


def test_a_large_head_that_offers_an_upgrade_is_refused(connect):
    connection = connect()
    connection.sendall(HEAD + UPGRADES["h2c"] + b"x-a: " + b"a" * 70_000 + b"\r\n\r\n")
    assert read_status_line(connection) == b"HTTP/1.1 431 Request Header Fields Too Large"


@pytest.mark.parametrize("target", [b"example.com:443", b"/health"])
def test_a_tunnel_is_refused(connect, target):
    connection = connect()
    connection.sendall(b"CONNECT " + target + b" HTTP/1.1\r\nhost: example.com:443\r\n\r\n")
    answer = b""
    while piece := connection.recv(300):
        answer += piece
    assert answer.startswith(b"HTTP/1.1 40")


def test_an_ipv4_proxy_of_an_ipv6_socket_is_trusted(process, monkeypatch):
    monkeypatch.setenv("HOST", "::")
    settings = 'server={"api_routes": routes, "trusted_proxies": ["127.0.0.0/8"]}'
    _, port = process(APP.replace('server={"api_routes": routes}', settings))
    url, forwarded = f"http://127.0.0.1:{port}/headers", {"x-forwarded-for": "203.0.113.9"}
    assert httpx.post(url, trust_env=False).json()["client"] == "127.0.0.1"
    assert httpx.post(url, headers=forwarded, trust_env=False).json()["client"] == "203.0.113.9"
