"""Test the export of the spans of each request after its response, without a thread."""

import asyncio

from mastra_core.request_scope import enter_request
from mastra_core.request_scope.mode import disable_request_scope, enable_request_scope
from mastra_core.telemetry.export_counts import ExportCounts
from mastra_core.telemetry.exporters import build_export
from mastra_core.telemetry.otel_environment import read_otlp
from mastra_core.telemetry.otlp_encoding import SpanLimits
from mastra_core.telemetry.request_export import RequestSpans
from tests.otlp_collector import run_collector


def build_span(name, **attributes):
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.trace import SpanKind

    from mastra_core.telemetry.light_span import LightSpan

    resource = Resource({"service.name": "shop"})
    span = LightSpan(name, SpanKind.SERVER, None, attributes, (), resource, lambda _: None)
    span.end()
    return span


async def wait_for(is_done):
    async with asyncio.timeout(10):
        while not is_done():  # noqa: ASYNC110  # the server runs in another thread
            await asyncio.sleep(0.01)


def test_a_span_that_ends_while_others_are_sent_is_sent_as_well():
    counts = ExportCounts()

    async def serve(collector):
        spans = RequestSpans(read_otlp(collector.url, None), SpanLimits(), counts)
        with enter_request():
            spans.add(build_span("early"))

            async def end_late():
                await wait_for(lambda: collector.requests)  # the first request waits for its answer
                spans.add(build_span("late"))

            late = asyncio.create_task(end_late())
        await late
        await wait_for(lambda: counts.exported == 2)

    with run_collector(delay=0.3) as collector:
        asyncio.run(serve(collector))
        assert [span.name for _, span in collector.spans] == ["early", "late"]


def test_spans_of_a_request_are_limited_by_bytes():
    counts = ExportCounts()

    async def serve(collector):
        spans = RequestSpans(read_otlp(collector.url, None), SpanLimits(), counts)
        with enter_request():
            for _ in range(20):
                spans.add(build_span("large", body="x" * 1_000_000))
        await wait_for(lambda: counts.exported)

    with run_collector() as collector:
        asyncio.run(serve(collector))
    assert (counts.exported, counts.dropped) == (8, 12)


def test_an_exporter_that_fails_does_not_fail_the_request(logs):
    class Failing:
        def export(self, spans):
            assert spans[0].name == "work"
            raise ZeroDivisionError("no printer")

        def shutdown(self):
            pass

    counts = ExportCounts()
    enable_request_scope(lambda _: None)
    try:
        export, queue = build_export(Failing(), counts)
    finally:
        disable_request_scope()
    export(build_span("work"))
    assert queue is None
    assert (counts.exported, counts.dropped) == (0, 1)
    assert "spans are lost: no printer" in logs.text
