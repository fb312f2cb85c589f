"""A proxy that behaves as a platform: headers, limits, static files and streams."""

import contextlib
import socket
import struct
import threading

import httpx
import pytest

from mastra_core.errors import ConfigError
from mastra_deployer.kit import PreviewProxy, PreviewRules
from tests.scripted_server import serve


@contextlib.contextmanager
def run_proxy(app_port, **rules):
    server = PreviewProxy("127.0.0.1", 0, app_port, PreviewRules(**rules))
    thread = threading.Thread(target=server.serve_until_interrupted)
    thread.start()
    try:
        with httpx.Client(base_url=server.url, trust_env=False) as client:
            yield client
    finally:
        server.shutdown()
        thread.join()


@pytest.fixture
def app():
    with serve(lambda _: (200, {"x-own": "kept", "x-acme-trace": "1"}, {"ok": True})) as server:
        server.port = server.server_address[1]
        yield server


def test_headers_of_the_platform_are_added_and_hidden(app):
    rules = {"build_headers": lambda client: {"x-acme-ip": client}, "hidden_headers": ("x-acme",)}
    with run_proxy(app.port, **rules) as client:
        response = client.post("/a/b?c=1", content=b"12345", headers={"x-mine": "kept"})
    assert response.json() == {"ok": True} and response.headers["x-own"] == "kept"
    assert "x-acme-trace" not in response.headers
    assert app.seen[0][:2] == ("POST", "/a/b?c=1") and app.bodies == [b"12345"]
    received = {name.lower(): value for name, value in app.headers[0].items()}
    assert received["x-acme-ip"] == received["x-forwarded-for"] == "127.0.0.1"
    assert received["x-forwarded-proto"] == "http" and received["x-mine"] == "kept"
    assert received["x-forwarded-host"] == client.base_url.netloc.decode()


def test_a_client_cannot_send_headers_of_the_platform(app):
    app.answer = lambda handler: (200, {}, handler.headers.items())
    own = [("X-Acme-IP", "6.6.6.6"), ("X-Forwarded-For", "6.6.6.6"), ("x-a", "1"), ("x-a", "2")]
    with run_proxy(app.port, build_headers=lambda client: {"x-acme-ip": client}) as client:
        received = [(name.lower(), value) for name, value in client.get("/", headers=own).json()]
    assert "6.6.6.6" not in [value for _, value in received]
    assert {("x-acme-ip", "127.0.0.1"), ("x-forwarded-for", "127.0.0.1")} <= set(received)
    assert [value for name, value in received if name == "x-a"] == ["1", "2"]


@pytest.mark.parametrize("chunked", [False, True])
def test_bodies_up_to_the_limit_arrive(app, chunked):
    def body(size):
        return iter([b"x" * (size - 1), b"x"]) if chunked else b"x" * size

    with run_proxy(app.port, max_body=1000, errors={413: {"code": "TOO_LARGE"}}) as client:
        assert client.post("/", content=body(1000)).status_code == 200
        refused = client.post("/", content=body(1001))
        assert client.get("/again").status_code == 200
    assert refused.status_code == 413 and refused.json() == {"code": "TOO_LARGE"}
    assert refused.headers["connection"] == "close", "no further request is sent on it"
    assert app.bodies == [b"x" * 1000, b""]


def test_static_files_come_first(app, tmp_path):
    (tmp_path / "public").mkdir()
    (tmp_path / "public" / "page.html").write_text("<p>")
    (tmp_path / "secret").write_text("x")
    with run_proxy(app.port, static=tmp_path / "public") as client:
        page = client.get("/page.html")
        assert page.text == "<p>" and page.headers["content-type"] == "text/html"
        assert client.head("/page.html").headers["content-length"] == "3"
        assert client.post("/page.html").json() == {"ok": True}
        assert client.get("/../secret").json() == {"ok": True}


def test_an_app_that_does_not_respond_is_the_platforms_error(app):
    app.answers = []
    app.answer = lambda _: (0, {}, b"")
    with run_proxy(app.port, errors={502: {"code": "FAILED"}}) as client:
        response = client.get("/")
    assert response.status_code == 502 and response.json() == {"code": "FAILED"}


def test_a_port_in_use_is_a_configuration_error(app):
    with pytest.raises(ConfigError, match=f"Cannot listen on 127.0.0.1:{app.port}"):
        PreviewProxy("127.0.0.1", app.port, 1, PreviewRules())


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_an_address_of_ipv6_is_in_brackets():
    with PreviewProxy("::1", 0, 1, PreviewRules()) as server:
        assert server.url == f"http://[::1]:{server.server_address[1]}"


def test_a_path_beyond_ascii_is_refused(app, capsys):
    with run_proxy(app.port) as client, connect_to(client) as connection:
        connection.sendall("GET /grün HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 400 ")
    assert capsys.readouterr().err == ""


def test_a_client_that_resets_its_connection_prints_nothing(app, capsys):
    with run_proxy(app.port) as client:
        with connect_to(client) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert client.get("/").status_code == 200
    assert capsys.readouterr().err == ""


def test_a_response_has_the_date_of_the_app_only(app):
    app.answer = lambda _: (200, {"date": "Mon, 30 Nov 2026 08:00:00 GMT"}, {})
    with run_proxy(app.port) as client:
        dates = client.get("/").headers.get_list("date")
    assert dates == ["Mon, 30 Nov 2026 08:00:00 GMT"]


def connect_to(client):
    return socket.create_connection((client.base_url.host, client.base_url.port))
