"""A real model server, and the same agent built with each framework."""

import logging

import pytest

from tests.aimock import build_tool_turns, build_turn, serve_model

CITIES = [{"name": "forecast", "arguments": {"city": "Oslo"}, "id": "c1"}]
PAY = [{"name": "pay", "arguments": {"amount": 3}, "id": "p1"}]
NOTE = [{"name": "note", "arguments": {"text": "milk"}, "id": "n1"}]
LONG = "one two three four five six seven eight nine ten eleven twelve"


def fixtures():
    yield build_turn("say hello", {"content": "Hello, I am a model and glad to be asked."})
    yield build_turn("once more", {"content": "Hello again."})
    yield from build_tool_turns("weather", CITIES, {"content": "It is sunny in Oslo."})
    yield from build_tool_turns("pay for it", PAY, {"content": "That was about paying."})
    yield from build_tool_turns("write down", NOTE, {"content": "Noted."})
    yield build_turn(
        "for ever", {"toolCalls": [{"name": "forecast", "arguments": {"city": "Oslo"}}]}
    )
    yield build_turn("as an object", {"content": '{"city": "Oslo", "degrees": -3}'})
    yield build_turn("refused", {"error": {"message": "slow down sk-secret"}, "status": 429})
    yield build_turn("no key", {"error": {"message": "bad key sk-secret"}, "status": 401})
    yield build_turn("out of order", {"error": {"message": "oops at db-7.internal"}, "status": 500})
    yield build_turn("hang up", {"content": "x"}, chaos={"disconnectRate": 1})
    yield build_turn("take your time", {"content": LONG}, chunkSize=4, latency=300)


@pytest.fixture(scope="package")
def server(tmp_path_factory):
    with serve_model(tmp_path_factory.mktemp("model"), list(fixtures())) as url:
        yield url


@pytest.fixture(autouse=True)
def quiet():
    for name in ("openai.agents", "langgraph", "langchain"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
