"""Lines of a WebSocket, from a real server."""

import contextlib
import http
import threading

import pytest
from websockets.sync.server import serve

from mastra_core.errors import ApiError, AuthError, ConfigError, ConsentError
from mastra_deployer.kit import iter_websocket_lines
from mastra_deployer.trust.host_policy import HostPolicy, set_host_policy


@contextlib.contextmanager
def run(handler, **options):
    with serve(handler, "127.0.0.1", 0, **options) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}/tail"
        server.shutdown()
        thread.join()


def test_lines_of_all_messages_are_read():
    def tail(connection):
        connection.send(f"{connection.subprotocol} {connection.recv()}")
        connection.send("one\ntwo")
        connection.send(b"three\xff")

    with run(tail, subprotocols=["trace-v1"]) as url:
        lines = list(
            iter_websocket_lines(url, home=url, subprotocol="trace-v1", messages=["hello"])
        )
    assert lines == ["trace-v1 hello", "one", "two", "three\ufffd"]


@pytest.mark.parametrize(("status", "error"), [(403, AuthError), (500, ApiError)])
def test_a_rejected_connection_is_an_error(status, error):
    def reject(connection, _):
        return connection.respond(http.HTTPStatus(status), "no")

    with run(print, process_request=reject) as url, pytest.raises(error, match=str(status)):
        list(iter_websocket_lines(url, home=url))


def test_a_message_that_is_too_large_is_an_api_error():
    def flood(connection):
        with contextlib.suppress(Exception):
            connection.send("x" * (2 << 20))

    with run(flood) as url, pytest.raises(ApiError):
        list(iter_websocket_lines(url, home=url))


@pytest.mark.parametrize("url", ["ws://acme.example/tail", "http://acme.example", "file:///x"])
def test_an_unencrypted_address_is_refused(url):
    with pytest.raises(ConfigError):
        list(iter_websocket_lines(url, home=url))


@pytest.mark.parametrize(
    "url",
    [
        "ws://acme.example/tail",
        "wss://127.0.0.1:1/tail",
        "wss://localhost:1/tail",
        "wss://10.0.0.5/tail",
        "wss://169.254.169.254/tail",
        "wss://[::1]/tail",
    ],
)
def test_a_platform_on_the_internet_cannot_send_the_client_elsewhere(url):
    with pytest.raises(ApiError, match=r"acme\.example contains the address"):
        list(iter_websocket_lines(url, home="https://acme.example/v1"))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "wss://",
        "wss://[",
        "wss://[::1",
        "wss://acme.example:99999/tail",
        "wss://acme.example:x/tail",
        "wss://acme..example/tail",
        "wss://xn--/tail",
        f"wss://{'a' * 64}.example/tail",
        "wss://acme.example/\n",
        "mailto:acme",
    ],
)
def test_an_invalid_address_is_an_api_error(url):
    with pytest.raises((ApiError, ConfigError)):
        list(iter_websocket_lines(url, home="https://acme.example/v1"))


@pytest.mark.parametrize("home", ["http://localhost:1", "ws://127.0.0.1:1"])
def test_a_platform_on_this_machine_may_name_another_port(home):
    with run(lambda connection: connection.send("one")) as url:
        assert list(iter_websocket_lines(url, home=home)) == ["one"]


def test_an_unreachable_server_is_an_api_error():
    with pytest.raises(ApiError, match=r"127\.0\.0\.1:1"):
        list(iter_websocket_lines("ws://127.0.0.1:1/tail", home="http://127.0.0.1:2"))


def test_a_host_that_only_the_project_names_gets_no_credentials():
    connected = []

    with run(connected.append) as url:
        address = url.replace("ws:", "http:").removesuffix("/tail")
        set_host_policy(HostPolicy({"api_url": address}, None, lambda host: None))
        try:
            with pytest.raises(ConsentError, match="api_url"):
                list(
                    iter_websocket_lines(
                        url, home=url, headers={"Authorization": "Bearer secret-1"}
                    )
                )
        finally:
            set_host_policy(None)
        assert connected == []
        assert list(iter_websocket_lines(url, home=url)) == []


def test_separators_within_a_line_do_not_split_it():
    texts = ['{"text":"a\u2028b\x85c\x0bd"}', "", "second"]

    def tail(connection):
        connection.send("\r\n".join(texts) + "\n")
        connection.send("")

    with run(tail) as url:
        assert list(iter_websocket_lines(url, home=url)) == texts


def test_a_server_on_this_machine_is_reached_without_a_proxy(monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "WS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    with run(lambda connection: connection.send("one")) as url:
        assert list(iter_websocket_lines(url, home=url)) == ["one"]
