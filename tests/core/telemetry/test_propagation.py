"""Test which headers the hosts of models get; tests of agents send them to real servers."""

import pytest
from opentelemetry import baggage, context
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import INVALID_SPAN, SpanKind

from mastra_core import Telemetry
from mastra_core.errors import ConfigError
from mastra_core.telemetry.light_span import LightSpan
from mastra_core.telemetry.propagation import Propagation


@pytest.fixture
def span():
    return LightSpan("chat m", SpanKind.CLIENT, None, {}, (), Resource({}), lambda _: None)


@pytest.fixture(autouse=True)
def current_baggage():
    token = context.attach(baggage.set_baggage("customer", "c7"))
    yield
    context.detach(token)


@pytest.mark.parametrize(
    ("hosts", "host", "expected"),
    [
        (None, "api.openai.com", {"traceparent"}),
        ([], "api.openai.com", set()),
        (["llm.example.com"], "LLM.example.com", {"traceparent", "baggage"}),
        (["*.internal"], "llm.internal", {"traceparent", "baggage"}),
        (["*.internal"], "internal.example.com", set()),
    ],
)
def test_headers_of_a_host(span, hosts, host, expected):
    headers = Propagation(hosts).build_headers(span, host)
    assert set(headers) == expected
    if "traceparent" in expected:
        assert headers["traceparent"] == f"00-{span.trace_id:032x}-{span.span_id:016x}-01"


def test_a_span_without_ids_is_not_sent():
    assert Propagation(None).build_headers(INVALID_SPAN, "api.openai.com") == {}


@pytest.mark.parametrize("hosts", ["llm.example.com", ["https://llm.example.com"], [""]])
def test_wrong_hosts_are_named(hosts):
    with pytest.raises(ConfigError, match="not a list of hosts"):
        Telemetry(propagate_to=hosts)
