"""Test the transport over HTTP: batches, retries, and endpoints that fail or hang."""

import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mastra_core import Secret
from mastra_core.errors import ConfigError
from mastra_core.logs import HttpTransport


class Endpoint(ThreadingHTTPServer):
    """A receiver of log lines on loopback, which answers with ``statuses`` in turn, then with 200."""

    daemon_threads = True

    def __init__(self, *statuses):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.statuses = list(statuses)
        self.requests = []
        self.headers = []
        self.url = f"http://127.0.0.1:{self.server_port}/lines?source=app"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def wait_for(self, count):
        until = time.monotonic() + 10
        while sum(map(len, self.requests)) < count:
            assert time.monotonic() < until, self.requests
            time.sleep(0.01)


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        status = self.server.statuses.pop(0) if self.server.statuses else 200
        self.server.headers.append(dict(self.headers, path=self.path))
        if status == 200:
            self.server.requests.append(body["logs"])
        self.send_response(status)
        self.send_header("retry-after", "1")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def start():
    started = []

    def start_endpoint(*statuses):
        started.append(Endpoint(*statuses))
        return started[-1]

    yield start_endpoint
    for each in started:
        each.shutdown()
        each.server_close()


def connect(url, **settings):
    transport = HttpTransport(url, flush_interval=0.05, **settings)
    transport.losses = []
    transport.report_loss = lambda *loss: transport.losses.append(loss)
    return transport


def write_numbers(transport, *numbers):
    transport.write([json.dumps({"number": number}) for number in numbers])


def test_batches_with_headers(start):
    endpoint = start()
    transport = connect(endpoint.url, batch_size=2, headers={"authorization": Secret("Bearer x-1")})
    write_numbers(transport, *range(5))
    transport.close()
    assert [len(batch) for batch in endpoint.requests] == [2, 2, 1]
    assert [line["number"] for batch in endpoint.requests for line in batch] == list(range(5))
    assert endpoint.headers[0]["authorization"] == "Bearer x-1"
    assert endpoint.headers[0]["path"] == "/lines?source=app"
    assert transport.losses == []


def test_a_failure_is_retried_and_a_refusal_is_not(start):
    endpoint = start(429, 503, 401)
    transport = connect(endpoint.url)
    write_numbers(transport, 1)
    endpoint_answers = time.monotonic()
    while len(endpoint.headers) < 3 and time.monotonic() < endpoint_answers + 10:
        time.sleep(0.01)
    until = time.monotonic() + 5
    while not transport.losses and time.monotonic() < until:
        time.sleep(0.01)
    assert transport.losses == [(1, "the endpoint answered with the status 401")]
    write_numbers(transport, 2)
    endpoint.wait_for(1)
    assert endpoint.requests == [[{"number": 2}]]
    transport.close()


def test_lines_wait_until_a_thread_can_be_started(start):
    endpoint = start()
    transport = connect(endpoint.url)
    threading.stack_size((1 << 48) - (1 << 20))  # no host has memory for such a stack
    write_numbers(transport, 1)
    threading.stack_size(0)
    write_numbers(transport, 2)
    transport.close()
    assert endpoint.requests == [[{"number": 1}, {"number": 2}]]
    threading.stack_size((1 << 48) - (1 << 20))
    write_numbers(transport, 3)
    transport.close()
    threading.stack_size(0)
    assert transport.losses == [(1, "127.0.0.1 did not accept them before the end")]


@pytest.mark.parametrize("kind", ["dead", "hanging", "garbage"])
def test_a_bad_endpoint_costs_no_time_and_no_memory(kind):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if kind != "dead":
            listener.listen(50)
        if kind == "garbage":
            threading.Thread(target=answer_with_garbage, args=(listener,), daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        transport = connect(url, max_bytes=10_000)
        started = time.monotonic()
        for _ in range(100):
            transport.write(["x" * 1000])
        assert time.monotonic() - started < 3  # to send one line takes longer
        refused = sum(count for count, _ in transport.losses)
        assert 80 <= refused <= 91
        transport.close()
        assert time.monotonic() - started < 4
    assert sum(count for count, _ in transport.losses) == 100


def answer_with_garbage(listener):
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            connection.recv(65_536)
            connection.sendall(b"\x00garbage\r\n\r\n")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://a.example/",
        "https://",
        "logs.example.com/x",
        "http://a.example:99999/",
        "http://[::1",
    ],
)
def test_an_invalid_url_is_refused(url):
    with pytest.raises(ConfigError, match="HttpTransport cannot send"):
        HttpTransport(url)


def test_a_missing_variable_for_the_url_is_named_as_the_cause():
    with pytest.raises(ConfigError, match="'NoneType'") as caught:
        HttpTransport(None)
    assert "variable" in caught.value.hint


def test_a_password_in_the_url_is_refused_and_not_shown():
    with pytest.raises(ConfigError, match="password") as caught:
        HttpTransport("https://ann:s3cret@logs.example.com/")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("name", ["batch_size", "flush_interval", "timeout", "max_bytes"])
@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_a_number_that_is_not_positive_is_refused(name, value):
    with pytest.raises(ConfigError, match=name):
        HttpTransport("http://logs.example.com/", **{name: value})


def test_a_line_that_utf_8_cannot_encode_is_sent(start):
    endpoint = start()
    transport = connect(endpoint.url)
    transport.write(['{"text": "\ud800"}'])  # of a formatter of the application
    endpoint.wait_for(1)
    transport.close()
    assert endpoint.requests == [[{"text": "\ud800"}]]
    assert transport.losses == []


def test_an_interval_without_end_sends_full_batches(start):
    endpoint = start()
    transport = HttpTransport(endpoint.url, batch_size=2, flush_interval=float("inf"))
    write_numbers(transport, 1, 2)
    endpoint.wait_for(2)
    transport.close()
    assert endpoint.requests == [[{"number": 1}, {"number": 2}]]
