"""Test that the SDKs of other products take our spans; each test needs the package of the product."""

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import SpanKind

from mastra_core.telemetry.light_span import LightSpan
from mastra_core.telemetry.sdk_sender import to_readable_span

SPANS = {
    "invoke_agent helper": {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "helper"},
    "chat gpt-5": {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-5"},
    "execute_tool add": {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "add"},
}


@pytest.fixture
def spans():
    """Ended spans of an agent, as an exporter of the SDK gets them."""
    resource, parent, ended = Resource({"service.name": "shop"}), None, []
    for name, attributes in SPANS.items():
        parent = LightSpan(name, SpanKind.INTERNAL, parent, dict(attributes), (), resource,
                           ended.append)  # fmt: skip
    for span in (parent, parent._parent, parent._parent._parent):
        span.end()
    return [to_readable_span(span) for span in ended]


def test_langfuse_exports_the_spans_of_agents(spans):
    span_filter = pytest.importorskip("langfuse.span_filter")
    assert all(span_filter.is_genai_span(span) for span in spans)
    assert all(span_filter.is_default_export_span(span) for span in spans)


def test_logfire_completes_the_span_of_a_model(spans):
    wrapper = pytest.importorskip("logfire._internal.exporters.processor_wrapper")
    (chat,) = [span for span in spans if span.name == "chat gpt-5"]
    data = {"attributes": dict(chat.attributes)}
    wrapper._default_gen_ai_response_model(data)
    assert data["attributes"]["gen_ai.response.model"] == "gpt-5"
