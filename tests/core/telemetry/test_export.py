"""Test the export against real collectors: working, dead, slow, refusing and answering garbage."""

import contextlib
import json
import logging
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from mastra_core import Secret, Telemetry
from mastra_core.errors import ConfigError
from mastra_core.telemetry.export_counts import ExportCounts
from mastra_core.telemetry.otel_environment import (
    read_limit,
    read_otlp,
    read_queue,
    read_record_content,
)
from mastra_core.telemetry.otlp_encoding import SpanLimits, encode_spans
from mastra_core.telemetry.otlp_sender import OtlpSender
from mastra_core.telemetry.sdk_sender import FileSender
from mastra_core.telemetry.span_queue import MAX_BYTES, SpanQueue
from tests.otlp_collector import read_attributes, run_collector
from tests.repository import ROOT

DEAD = "http://127.0.0.1:9/v1/traces"


@pytest.fixture
def build_span():
    """Build an ended span."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.trace import SpanKind

    from mastra_core.telemetry.light_span import LightSpan

    def build(name="work", **attributes):
        resource = Resource({"service.name": "shop"})
        span = LightSpan(name, SpanKind.SERVER, None, attributes, (), resource, lambda _: None)
        span.end()
        return span

    return build


@pytest.fixture
def messages(logs):
    """The messages of the log."""
    logs.set_level(logging.INFO, logger="mastra.telemetry")
    return lambda: [record.getMessage() for record in logs.records]


def build_queue(url, counts, **options):
    sender = OtlpSender(read_otlp(url, None), SpanLimits())
    return SpanQueue(sender, counts, **{"delay": 60, **options})


def test_every_kind_of_value_arrives(build_span):
    values = {
        "text": "é" * 200, "short": "x", "yes": True, "no": False, "zero": 0, "one": 1,
        "negative": -5, "large": 2**40, "ratio": 0.25, "bytes": b"\x00\xff", "list": ["a", "b"],
        "numbers": [1, 2.5, True], "surrogate": "\ud800",
    }  # fmt: skip
    span = build_span(**values, huge=2**80, unknown=object(), nothing=None)
    with run_collector() as collector:
        queue = build_queue(collector.url, ExportCounts())
        queue.add(span)
        queue.close(5)
    ((resource, found),) = collector.spans
    assert resource == {"service.name": "shop"}
    assert read_attributes(found) == {**values, "surrogate": "?", "huge": str(2**80)}
    assert (found.name, found.kind, len(found.trace_id), len(found.span_id)) == ("work", 2, 16, 8)
    assert found.start_time_unix_nano == span.start_time
    assert found.end_time_unix_nano == span.end_time
    assert found.trace_id.hex() == f"{span.trace_id:032x}"
    assert found.flags == 0x101


def test_bytes_are_equal_to_those_of_the_sdk(build_span):
    """OpenTelemetry's encoder and ours build the same message of the same span."""
    from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans as encode_by_sdk
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Link, SpanContext, StatusCode, TraceFlags, TraceState

    ended = []
    provider = TracerProvider(shutdown_on_exit=False)
    remote = SpanContext(5, 6, True, TraceFlags(1), TraceState([("a", "b")]))
    tracer = provider.get_tracer("theirs", "1.2")
    with tracer.start_as_current_span("outer", links=[Link(remote, {"why": "x"})]) as outer:
        outer.add_event("happened", {"n": 1})
        with tracer.start_as_current_span("inner") as inner:
            inner.set_status(StatusCode.ERROR, "broken")
            inner.set_attribute("list", ("a", "b"))
    ended += [outer, inner]
    expected = encode_by_sdk(ended)
    found = ExportTraceServiceRequest.FromString(encode_spans(ended, SpanLimits()))
    for span in found.resource_spans[0].scope_spans[0].spans:
        span.flags &= ~1  # the SDK leaves the sampling flag out
    for span in expected.resource_spans[0].scope_spans[0].spans:
        if not span.status.code:
            span.ClearField("status")  # the SDK sends an empty one
    assert found == expected


def test_limits_of_events_and_links(build_span):
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
    from opentelemetry.trace import SpanContext

    span = build_span()
    attributes = {f"key{index}": index for index in range(9)}
    span.end_time = None
    span.add_event("retried", attributes)
    span.add_link(SpanContext(1, 2, True), attributes)
    span.end()
    encoded = encode_spans([span], SpanLimits(attributes=4))
    (found,) = ExportTraceServiceRequest.FromString(encoded).resource_spans[0].scope_spans[0].spans
    for part in (found.events[0], found.links[0]):
        assert (len(part.attributes), part.dropped_attributes_count) == (4, 5)


def test_limits_of_a_span(build_span):
    span = build_span(**{f"key{index}": "x" * 50 for index in range(9)})
    with run_collector() as collector:
        sender = OtlpSender(read_otlp(collector.url, None), SpanLimits(attributes=4, length=10))
        queue = SpanQueue(sender, ExportCounts())
        queue.add(span)
        queue.close(5)
    ((_, found),) = collector.spans
    assert list(read_attributes(found).values()) == ["x" * 10] * 4
    assert found.dropped_attributes_count == 5


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"status": 500}, "status 500"),
        ({"status": 404}, "status 404"),
        ({"status": 302}, "status 302"),
        ({"answer": b"\xff\xff garbage"}, "not OTLP"),
        ({"answer": b"<html>", "content_type": "text/html"}, "not a collector"),
    ],
)
def test_refused_spans_are_counted_and_logged_once(build_span, messages, settings, reason):
    counts = ExportCounts()
    with run_collector(**settings) as collector:
        queue = build_queue(collector.url, counts)
        for _ in range(3):
            queue.add(build_span())
            assert queue.flush(5)
        assert counts.dropped == 3
        (message,) = messages()
        assert reason in message
        collector.status, collector.answer = 200, b""
        collector.content_type = "application/x-protobuf"
        queue.add(build_span())
        assert queue.flush(5)
        queue.close(5)
    assert counts.exported == 1
    assert messages()[1:] == ["spans are exported again"]


def test_rejected_part_of_a_batch_is_counted(build_span):
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

    answer = ExportTraceServiceResponse()
    answer.partial_success.rejected_spans = 2
    counts = ExportCounts()
    with run_collector(answer=answer.SerializeToString()) as collector:
        queue = build_queue(collector.url, counts)
        for _ in range(5):
            queue.add(build_span())
        queue.close(5)
    assert (counts.exported, counts.dropped) == (3, 2)


def test_busy_collector_is_tried_again(build_span):
    counts = ExportCounts()
    with run_collector(status=429) as collector:
        queue = build_queue(collector.url, counts)
        queue.add(build_span())
        threading.Timer(0.3, setattr, (collector, "status", 200)).start()
        assert queue.flush(10)
        queue.close(5)
    assert (counts.exported, counts.dropped) == (1, 0)
    assert len(collector.requests) == 2


def test_a_collector_that_asks_for_no_delay_is_not_flooded(build_span):
    counts = ExportCounts()
    with run_collector(status=503, retry_after="0") as collector:
        queue = build_queue(collector.url, counts, timeout=1.5)
        queue.add(build_span())
        assert queue.flush(5)
        queue.close(5)
        assert len(collector.requests) == 2
    assert counts.dropped == 1


@pytest.mark.parametrize("kind", ["dead", "slow", "busy"])
def test_stop_takes_at_most_two_seconds(build_span, kind):
    counts = ExportCounts()
    with run_collector(delay=30 if kind == "slow" else 0, status=503) as collector:
        queue = build_queue(DEAD if kind == "dead" else collector.url, counts)
        for _ in range(1000):
            queue.add(build_span())
        time.sleep(0.2)
        began = time.monotonic()
        queue.close(2.0)
        assert time.monotonic() - began < 2.5
    assert (counts.exported, counts.dropped) == (0, 1000)


def test_full_queue_drops_and_never_blocks(build_span, messages):
    counts, span = ExportCounts(), build_span()
    with run_collector(delay=1) as collector:
        queue = build_queue(collector.url, counts, max_size=100, batch_size=50)
        began = time.process_time()
        for _ in range(20_000):
            queue.add(span)
        assert time.process_time() - began < 1
        queue.close(5)
    assert counts.exported + counts.dropped == 20_000
    assert counts.exported <= 300
    assert any("queue is full" in each for each in messages())


class Held:
    """A destination that accepts nothing until it is released."""

    def __init__(self):
        self.batches = []
        self.may_send = threading.Event()

    def send(self, spans, *_):
        self.may_send.wait(20)
        self.batches.append(spans)

    def close(self):
        pass


def test_waiting_spans_are_limited_by_bytes(build_span, messages):
    counts, sender = ExportCounts(), Held()
    queue = SpanQueue(sender, counts, max_size=10_000, delay=60)
    size = 65_536
    for _ in range(3 * MAX_BYTES // size):
        queue.add(build_span(body="x" * size))
    sender.may_send.set()
    queue.close(20)
    assert MAX_BYTES // size - 20 < counts.exported < 1.2 * MAX_BYTES / size
    assert counts.exported + counts.dropped == 3 * MAX_BYTES // size
    assert any("queue is full" in each for each in messages())
    assert max(map(len, sender.batches)) <= 64  # 4 MiB


def test_rejected_spans_are_counted_if_a_destination_hangs(build_span):
    counts, sender = ExportCounts(), Held()
    queue = SpanQueue(sender, counts, max_size=10, batch_size=1)
    queue.add(build_span())
    time.sleep(0.1)  # the first span is being sent
    for _ in range(30):
        queue.add(build_span())
    queue.close(0.1)
    sender.may_send.set()
    assert (counts.exported, counts.dropped) == (0, 31)


def test_every_text_of_a_span_counts(build_span):
    from mastra_core.telemetry.span_size import estimate_span_size

    span = build_span(list=["y" * 10_000] * 2, number=1)
    span.end_time = None
    span.add_event("answered", {"body": "z" * 10_000})
    span.content["mastra.input"] = "i" * 10_000
    span.end()
    assert 40_000 <= estimate_span_size(span) < 42_000


def test_an_event_has_the_attributes_of_its_moment(build_span):
    span, attributes = build_span(), {"n": 1}
    span.end_time = None
    span.add_event("happened", attributes)
    attributes["n"] = 2
    assert span.events[0].attributes == {"n": 1}


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_child_process_of_a_fork_exports_its_own_spans_only(build_span):
    counts = ExportCounts()
    with run_collector() as collector:
        queue = build_queue(collector.url, counts)
        queue.add(build_span("of the parent"))
        for name in ("", "of the child"):
            pid = os.fork()
            if pid == 0:
                counts.exported = counts.dropped = 0
                if name:
                    queue.add(build_span(name))
                queue.close(5)
                os._exit(0 if (counts.exported, counts.dropped) == (len(name) // 12, 0) else 1)
            assert os.waitpid(pid, 0)[1] == 0
        queue.close(5)
        assert [span.name for _, span in collector.spans] == ["of the child", "of the parent"]
    assert (counts.exported, counts.dropped) == (1, 0)


@pytest.fixture
def refuse_threads():
    """Start no thread inside of `with`: no host has memory for such a stack."""

    @contextlib.contextmanager
    def refuse():
        threading.stack_size((1 << 48) - (1 << 20))
        yield
        threading.stack_size(0)

    return refuse


def test_spans_wait_until_a_thread_can_be_started(build_span, refuse_threads):
    """A request must not fail because its span cannot be exported."""
    counts = ExportCounts()
    with run_collector() as collector:
        with refuse_threads():
            queue = build_queue(collector.url, counts)
            queue.add(build_span("at the limit"))
        queue.add(build_span("below the limit"))
        queue.close(5)
        assert [span.name for _, span in collector.spans] == ["at the limit", "below the limit"]
        with refuse_threads():
            queue = build_queue(collector.url, counts)
            queue.add(build_span("lost"))
            queue.close(5)
    assert (counts.exported, counts.dropped) == (2, 1)


def test_broken_exporter_of_the_user_ends_nothing(build_span):
    class Broken:
        def send(self, *_):
            raise ZeroDivisionError("x")

        def close(self):
            pass

    counts = ExportCounts()
    queue = SpanQueue(Broken(), counts)
    queue.add(build_span())
    assert queue.flush(5)
    queue.add(build_span())
    queue.close(5)
    assert counts.dropped == 2


APP = """
import json, os, time
from mastra_core import Secret, Telemetry
from mastra_core.telemetry import annotate, flush_spans, get_export_counts, start_span
telemetry = Telemetry(**SETTINGS)
secret = Secret('known "value"')
telemetry.start()
with start_span("outer", {"n": 1}):
    with start_span("inner", kind="client") as inner:
        annotate(inner, input={"text": f"use {secret.reveal()}", "n": 1, "key": "k-1"})
        annotate(inner, output="x" * 16_375 + secret.reveal())
try:
    with start_span("failed"):
        raise ValueError(f"password=hunter22 {secret.reveal()}")
except ValueError:
    pass
assert flush_spans(5)
telemetry.stop()
print(get_export_counts().exported)
"""


def run_app(settings, source=APP, **variables):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", source.replace("SETTINGS", settings)],
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_file_of_otlp_json(tmp_path):
    path = tmp_path / "traces.jsonl"
    assert run_app(f'{{"export": {{"type": "file", "path": {str(path)!r}}}}}') == "3"
    (line,) = path.read_text().splitlines()
    (resource,) = json.loads(line)["resourceSpans"]
    spans = {span["name"]: span for span in resource["scopeSpans"][0]["spans"]}
    assert set(spans) == {"outer", "inner", "failed"}
    assert spans["inner"]["parentSpanId"] == spans["outer"]["spanId"]
    assert len(spans["inner"]["traceId"]) == 32
    assert spans["inner"]["kind"] == 3
    assert spans["failed"]["status"]["message"] == "ValueError: password=**** ****"
    assert "hunter22" not in line
    assert "known" not in line


def test_the_application_s_own_provider_gets_no_credentials(tmp_path):
    path = tmp_path / "traces.jsonl"
    provider = (
        "from opentelemetry import trace\n"
        "from opentelemetry.sdk.trace import TracerProvider\n"
        "trace.set_tracer_provider(TracerProvider())\n"
    )
    settings = f'{{"export": {{"type": "file", "path": {str(path)!r}}}}}'
    run_app(settings, source=provider + APP, OTEL_SERVICE_NAME="shop")
    text = path.read_text()
    assert "ValueError: password=**** ****" in text
    assert "hunter22" not in text
    assert "known" not in text


def test_known_secrets_in_inputs_and_outputs_are_masked(tmp_path):
    path = tmp_path / "traces.jsonl"
    settings = {"export": {"type": "file", "path": str(path)}, "record_content": True}
    assert run_app(repr(settings)) == "3"
    text = path.read_text()
    inner = next(
        span
        for span in json.loads(text)["resourceSpans"][0]["scopeSpans"][0]["spans"]
        if span["name"] == "inner"
    )
    values = {each["key"]: each["value"]["stringValue"] for each in inner["attributes"]}
    assert json.loads(values["mastra.input"]) == {"text": "use ****", "n": 1, "key": "****"}
    assert values["mastra.output"].endswith('x****"')
    assert "known" not in text


def test_file_that_cannot_be_written_loses_spans_only():
    assert run_app('{"export": {"type": "file", "path": "/proc/none/traces.jsonl"}}') == "0"


def test_file_in_a_missing_directory(build_span, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sender = FileSender(Path("new/traces.jsonl"), SpanLimits())
    monkeypatch.chdir("/")  # the path stays where it was
    sender.send([build_span()], threading.Event(), 0)
    path = tmp_path / "new/traces.jsonl"
    assert json.loads(path.read_text())["resourceSpans"]
    assert not path.stat().st_mode & 0o007


def test_exporter_object():
    exporter = "__import__('opentelemetry.sdk.trace.export', fromlist=['x']).ConsoleSpanExporter()"
    told = run_app(f'{{"export": {exporter}}}')
    assert told.count('"start_time": ') == 3
    assert told.endswith("\n3")


@pytest.mark.parametrize(
    ("settings", "hint"),
    [
        ({"export": {"type": "file"}}, "path"),
        ({"export": object()}, "otlp, console, file"),
        ({"export": {"type": "otlp", "url": "http://c:1"}}, "endpoint"),
    ],
)
def test_wrong_export_is_named(settings, hint):
    with pytest.raises(ConfigError) as raised:
        Telemetry(**settings)
    assert hint in raised.value.hint


VARIABLES = {
    "OTEL_EXPORTER_OTLP_ENDPOINT": ("http://c:1/", "endpoint", "http://c:1/v1/traces"),
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": ("http://c:1/x", "endpoint", "http://c:1/x"),
    "OTEL_EXPORTER_OTLP_HEADERS": (
        "x-api-key=a%20b,c=d",
        "headers",
        {"x-api-key": "a b", "c": "d"},
    ),
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS": ("k=v", "headers", {"k": "v"}),
    "OTEL_EXPORTER_OTLP_TIMEOUT": ("3", "timeout", 3.0),
    "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": ("4", "timeout", 4.0),
    "OTEL_EXPORTER_OTLP_COMPRESSION": ("gzip", "compression", "gzip"),
    "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION": ("deflate", "compression", "deflate"),
    "OTEL_EXPORTER_OTLP_CERTIFICATE": ("/ca.pem", "certificate", "/ca.pem"),
    "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE": ("/ca.pem", "certificate", "/ca.pem"),
    "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": ("/c.pem", "client_certificate", "/c.pem"),
}


@pytest.mark.parametrize("variable", VARIABLES)
def test_variables_of_the_collector(monkeypatch, variable):
    value, field, expected = VARIABLES[variable]
    monkeypatch.setenv(variable, value)
    assert getattr(read_otlp(None, None), field) == expected
    if field in ("endpoint", "headers"):  # the code has precedence
        settings = read_otlp("http://code", {"own": "1"})
        assert (settings.endpoint, settings.headers) == ("http://code/v1/traces", {"own": "1"})


@pytest.mark.parametrize("url", ["localhost:4318", "http://", "http://c:99999", "http://[::1"])
def test_an_endpoint_that_is_no_url_is_refused(monkeypatch, url):
    with pytest.raises(ConfigError, match="cannot send to"):
        read_otlp(url, None)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
    with pytest.raises(ConfigError, match="cannot send to"):
        read_otlp(None, None)


def test_a_header_may_be_a_secret(build_span):
    with run_collector() as collector:
        settings = read_otlp(collector.url, {"authorization": Secret("Bearer abc")})
        queue = SpanQueue(OtlpSender(settings, SpanLimits()), ExportCounts())
        queue.add(build_span())
        queue.close(5)
        ((_, headers, _),) = collector.requests
    assert headers["authorization"] == "Bearer abc"


def test_passwords_of_netrc_are_not_sent(build_span, tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text("default login ann password s3cret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with run_collector() as collector:
        own = collector.url.replace("http://", "http://bob:pass@")
        for url, headers in (
            (collector.url, None),
            (collector.url, {"authorization": "Bearer abc"}),
            (own, None),
        ):
            sender = OtlpSender(read_otlp(url, headers), SpanLimits())
            queue = SpanQueue(sender, ExportCounts())
            queue.add(build_span())
            queue.close(5)
        found = [headers.get("Authorization") or headers.get("authorization")
                 for _, headers, _ in collector.requests]  # fmt: skip
    assert found == [None, "Bearer abc", "Basic Ym9iOnBhc3M="]


def test_variable_of_the_client_key(monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "/c.pem")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/k.pem")
    assert read_otlp(None, None).client_certificate == ("/c.pem", "/k.pem")


def test_variables_of_the_queue(monkeypatch):
    assert read_queue() == {}
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "100")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "10")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "1500")
    monkeypatch.setenv("OTEL_BSP_EXPORT_TIMEOUT", "2500")
    assert read_queue() == {"max_size": 100, "batch_size": 10, "delay": 1.5, "timeout": 2.5}


@pytest.mark.parametrize("value", ["x", "-1", "0", "inf", "nan"])
def test_wrong_number_of_a_variable_is_named(monkeypatch, value):
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", value)
    with pytest.raises(ConfigError, match="OTEL_BSP_MAX_QUEUE_SIZE"):
        read_queue()


def test_variables_of_limits(monkeypatch):
    names = ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT")
    assert read_limit(*names, default=128) == 128
    monkeypatch.setenv(names[1], "10")
    assert read_limit(*names, default=128) == 10
    monkeypatch.setenv(names[0], "0")
    assert read_limit(*names, default=128) == 0


@pytest.mark.parametrize(
    ("value", "expected"),
    [("true", True), ("false", False), ("SPAN_ONLY", True), ("NO_CONTENT", False), ("", True)],
)
def test_variable_of_the_content(monkeypatch, value, expected):
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", value)
    assert read_record_content(True) is expected


def test_numbers_of_every_kind_are_encoded():
    """A range of Python walks all of its numbers for a subclass of int; the process would hang."""
    from http import HTTPStatus

    from opentelemetry.proto.common.v1.common_pb2 import KeyValue

    from mastra_core.telemetry.otlp_encoding import SpanLimits, encode_attributes

    values = {"status": HTTPStatus.OK, "huge": 2**70, "giant": 10**5000, "low": -(2**63)}
    for name, expected in (("status", 200), ("low", -(2**63))):
        encoded = encode_attributes({name: values[name]}, 0x0A, SpanLimits())
        assert KeyValue.FromString(encoded[2:]).value.int_value == expected
    assert encode_attributes({"huge": values["huge"], "giant": values["giant"]}, 0x0A, SpanLimits())


def test_a_span_that_cannot_be_encoded_loses_no_other_span(tmp_path):
    from opentelemetry.sdk.trace import TracerProvider

    from mastra_core.telemetry.span_queue import ExportFailure

    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("theirs")
    good, bad = tracer.start_span("good"), tracer.start_span("bad")
    good.end()
    bad.end(1.5)  # a time must be an integer
    with pytest.raises(ExportFailure) as caught:
        FileSender(tmp_path / "spans.jsonl", SpanLimits()).send([bad, good], threading.Event(), 0)
    assert caught.value.count == 1
    text = (tmp_path / "spans.jsonl").read_text()
    assert '"good"' in text and '"bad"' not in text
