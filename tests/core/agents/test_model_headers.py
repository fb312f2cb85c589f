"""Test the headers by which providers of models get the trace, with the clients of two providers."""

import json
import os
import subprocess
import sys

import pytest

from tests.model_answers import say_hello
from tests.repository import ROOT
from tests.scripted_server import serve

pytestmark = pytest.mark.full  # imports the SDKs of two providers

SCRIPT = """
import asyncio, json, sys
from opentelemetry import baggage, context
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.fallback import FallbackModel
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider
from mastra_core import Agent, Telemetry
from mastra_core.telemetry import start_span

class Exporter:
    def export(self, spans):
        for span in spans:
            print(json.dumps([span.name, format(span.context.trace_id, "032x"),
                              format(span.context.span_id, "016x")]))
    def shutdown(self):
        pass

async def run(model, settings=None):
    agent = Agent(name="helper", model=model, settings=settings or {})
    assert (await agent.generate("hi")).text == "hello"

async def run_all(url, options):
    openai = OpenAIChatModel("m", provider=OpenAIProvider(base_url=f"{url}/v1", api_key="k"))
    anthropic = AnthropicModel("m", provider=AnthropicProvider(base_url=url, api_key="k"))
    elsewhere = OpenAIProvider(base_url=f"{url.replace('127.0.0.1', 'localhost')}/v1", api_key="k")
    fallback = FallbackModel(openai, OpenAIChatModel("m", provider=elsewhere))
    telemetry = Telemetry(export=Exporter(), **options)
    telemetry.start()
    with start_span("request"):
        token = context.attach(baggage.set_baggage("customer", "c7"))
        await run(openai)
        await run(anthropic)
        await run(fallback)
        await run(openai, {"extra_headers": {"traceparent": "own", "x-team": "t1"}})
        context.detach(token)
    telemetry.stop()
    print(json.dumps(["end", "", ""]))

async def main():
    for options in json.loads(sys.argv[2]):
        await run_all(sys.argv[1], options)

asyncio.run(main())
"""
SETTINGS = ({}, {"propagate_to": ["127.*"]}, {"propagate_to": []}, {"enabled": False})


@pytest.fixture(scope="module")
def runs():
    """The headers of the requests and the spans of the models, of a run with each setting."""
    with serve(say_hello) as server:
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, server.url, json.dumps(SETTINGS)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    spans = [[]]
    for name, trace, span in map(json.loads, done.stdout.splitlines()):
        if name == "end":
            spans.append([])
        else:
            spans[-1].append((name, trace, span))
    received = [{key.lower(): value for key, value in each.items()} for each in server.headers]
    requests = [received[start : start + 4] for start in range(0, 16, 4)]
    return list(zip(requests, spans[:-1], strict=True))


def list_models(spans):
    return [f"00-{trace}-{span}-01" for name, trace, span in spans if name != "request"]


def test_providers_get_the_span_of_the_model_and_no_baggage(runs):
    (*requests, own), spans = runs[0]
    assert [each["traceparent"] for each in requests] == list_models(spans)[:3]
    assert (own["traceparent"], own["x-team"]) == ("own", "t1")
    assert not any("baggage" in each for each in (*requests, own))


def test_the_sdk_of_a_provider_adds_no_second_span(runs):
    _, spans = runs[0]
    assert [name.split(" ")[0] for name, _, _ in spans] == [*["chat"] * 4, "request"]


def test_listed_hosts_get_the_baggage(runs):
    (openai, anthropic, fallback, _), spans = runs[1]
    assert [openai["traceparent"], anthropic["traceparent"]] == list_models(spans)[:2]
    assert openai["baggage"] == anthropic["baggage"] == "customer=c7"
    assert "traceparent" not in fallback  # because one of its hosts is not listed
    assert "baggage" not in fallback


def test_an_empty_list_of_hosts_sends_nothing(runs):
    requests, _ = runs[2]
    assert not any("traceparent" in each or "baggage" in each for each in requests[:3])


def test_nothing_is_sent_without_telemetry(runs):
    requests, spans = runs[3]
    assert not spans
    assert not any("traceparent" in each for each in requests[:3])
