"""Test that what is not sampled has no span, no context and no trace id, but passes headers on."""

import os
import subprocess
import sys

import pytest

from mastra_core.errors import ConfigError
from mastra_core.telemetry.sampling import Sampling
from tests.repository import ROOT

START = """
from opentelemetry import baggage, context, trace
from mastra_core import Telemetry
from mastra_core.telemetry import (
    add_listener, get_current_span, get_span_ids, inject_context, is_recording, open_span,
    remove_listener, start_request_span, start_span,
)
from mastra_core.telemetry.light_span import LightSpan

class Listener:
    def __init__(self):
        self.names = []
    def on_start(self, span):
        pass
    def on_annotate(self, span, attributes):
        pass
    def on_end(self, span):
        self.names.append(span.name)

def inject():
    headers = {}
    inject_context(headers)
    return headers

TRACEPARENT = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
HEADERS = [(b"host", b"x"), (b"traceparent", TRACEPARENT.encode()), (b"baggage", b"k=v")]
listener = Listener()
"""


def run_script(script):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", START + script],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_request_that_is_not_sampled():
    run_script("""
add_listener(listener, Telemetry(sampling={"type": "ratio", "probability": 1e-12}))
assert is_recording()
before = context.get_current()
with start_request_span("GET", HEADERS[:2]) as span:
    assert span is None and get_current_span() is None
    assert context.get_current() is before
    with start_span("inner") as inner, open_span("other", {}) as other:
        assert inner is None and other is None
    with trace.get_tracer("theirs").start_as_current_span("theirs") as theirs:
        assert not theirs.is_recording()
    assert inject() == {"traceparent": TRACEPARENT[:-2] + "00"}
with start_request_span("GET", HEADERS) as span:
    assert span is None
    assert baggage.get_baggage("k") == "v"
    assert inject()["baggage"] == "k=v"
assert context.get_current() is before and baggage.get_baggage("k") is None
with start_span("run") as run:  # a run outside of a request decides once for all of it
    assert run is None
    with start_span("step") as step:
        assert step is None
assert listener.names == []
""")


def test_a_request_that_is_sampled():
    run_script("""
add_listener(listener)
with start_request_span("GET", HEADERS) as span:
    assert isinstance(span, LightSpan) and get_current_span() is span
    assert get_span_ids(span)["traceId"] == "a" * 32
    assert baggage.get_baggage("k") == "v"
    with trace.get_tracer("theirs").start_as_current_span("theirs") as theirs:
        assert theirs.parent.span_id == span.span_id
        with start_span("inner") as inner:
            assert inner.parent_id == theirs.context.span_id
            headers = inject()
            assert headers["traceparent"] == f"00-{'a' * 32}-{inner.span_id:016x}-01"
            assert headers["baggage"] == "k=v"
assert listener.names == ["inner", "theirs", "GET"]
assert inject() == {}
""")


def test_nothing_is_recorded_with_always_off():
    run_script("""
add_listener(listener, Telemetry(sampling={"type": "always_off"}))
assert not is_recording()
with start_request_span("GET", HEADERS) as span, start_span("inner") as inner:
    assert span is None and inner is None
""")


def test_several_headers_of_baggage_are_one_list():
    run_script("""
headers = [(b"baggage", b"a=1"), (b"baggage", b"b=2")]
before = context.get_current()
for sampling in ({"type": "always_on"}, {"type": "ratio", "probability": 1e-12}):
    add_listener(listener, Telemetry(sampling=sampling))
    with start_request_span("GET", headers):
        assert baggage.get_all() == {"a": "1", "b": "2"}
    assert context.get_current() is before and not baggage.get_all()
    remove_listener(listener)
""")


def test_an_error_without_a_readable_message_stays_the_error():
    run_script("""
class Broken(Exception):
    def __str__(self):
        raise RuntimeError("broken")
add_listener(listener)
try:
    with start_span("work"):
        raise Broken
except Broken:
    pass
assert listener.names == ["work"]
""")


def test_a_trusted_caller_decides():
    run_script("""
sampling = {"type": "parent_based", "probability": 0, "trust_callers": True}
add_listener(listener, Telemetry(sampling=sampling))
for flags in ("00", "01"):
    value = TRACEPARENT[:-2] + flags
    with start_request_span(flags, [(b"traceparent", value.encode())]):
        with start_span("inner " + flags):
            pass
with start_request_span("no caller", []) as span:
    assert span is None
assert listener.names == ["inner 01", "01"]
""")


def test_a_span_processor_of_the_application_sees_all_spans():
    run_script("""
from opentelemetry.sdk.trace import SpanProcessor
class Processor(SpanProcessor):
    def __init__(self):
        self.names = []
    def on_end(self, span):
        self.names.append(span.name)
add_listener(listener)
processor = Processor()
trace.get_tracer_provider().add_span_processor(processor)
with start_request_span("GET", HEADERS) as span:
    with start_span("inner"):
        pass
assert processor.names == listener.names == ["inner", "GET"]
assert get_span_ids(span)["traceId"] == "a" * 32
""")


def test_no_second_span_beside_an_instrumentation_of_the_server():
    run_script("""
add_listener(listener)
tracer = trace.get_tracer("their asgi")
with tracer.start_as_current_span("GET /", kind=trace.SpanKind.SERVER):
    with start_request_span("GET", HEADERS) as span:
        assert span is None
        with start_span("inner"):
            pass
assert listener.names == ["inner", "GET /"]
""")


def test_a_request_of_our_own_client():
    run_script("""
import asyncio, http.server, threading
from mastra_core.fetch import fetch
from mastra_core.telemetry.client_span import record_status, start_client_span

async def send():
    with start_client_span("GET", url) as span:
        record_status(span, (await fetch(url)).status)

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(404)
        self.end_headers()
    def log_message(self, *_):
        pass
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/keys?secret=1"
add_listener(listener)
listener.on_end = lambda span: listener.names.append((span.name, span.kind.name, span.attributes))
asyncio.run(send())  # outside of every request
with start_span("request"):
    asyncio.run(send())
assert listener.names[:-1] == [("GET", "CLIENT", {
    "http.request.method": "GET",
    "server.address": "127.0.0.1",
    "server.port": server.server_port,
    "http.response.status_code": 404,
    "error.type": "404",
})], listener.names
with start_span("request"), start_client_span("GET", "http://127.0.0.1:99999/") as span:
    assert span is not None  # the request itself reports the invalid port
server.shutdown()
server.server_close()
""")


@pytest.mark.parametrize(
    "settings", ["ratio", {}, {"type": "x"}, {"type": "ratio", "probability": -1}]
)
def test_wrong_settings(settings):
    with pytest.raises(ConfigError):
        Sampling(settings)


@pytest.mark.parametrize(
    ("settings", "probability", "trusts", "off"),
    [
        ({"type": "always_on", "probability": 0.1}, 1, False, False),
        ({"type": "always_off"}, 0, False, True),
        ({"type": "ratio", "probability": 0.5}, 0.5, False, False),
        ({"type": "ratio", "probability": 0}, 0, False, True),
        ({"type": "parent_based", "probability": 0}, 0, False, True),
        ({"type": "parent_based", "probability": 0, "trust_callers": True}, 0, True, False),
    ],
)
def test_settings(settings, probability, trusts, off):
    sampling = Sampling(settings)
    found = (sampling.probability, sampling.trusts_callers, sampling.is_off)
    assert found == (probability, trusts, off)
