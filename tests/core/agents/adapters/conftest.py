"""A real model server, and the same agent built with each framework."""

import logging

import pytest

from tests.aimock import called, serving, turn

CITIES = [{"name": "forecast", "arguments": {"city": "Oslo"}, "id": "c1"}]
PAY = [{"name": "pay", "arguments": {"amount": 3}, "id": "p1"}]
NOTE = [{"name": "note", "arguments": {"text": "milk"}, "id": "n1"}]
LONG = "one two three four five six seven eight nine ten eleven twelve"


def fixtures():
    yield turn("say hello", {"content": "Hello, I am a model and glad to be asked."})
    yield turn("once more", {"content": "Hello again."})
    yield from called("weather", CITIES, {"content": "It is sunny in Oslo."})
    yield from called("pay for it", PAY, {"content": "That was about paying."})
    yield from called("write down", NOTE, {"content": "Noted."})
    yield turn("for ever", {"toolCalls": [{"name": "forecast", "arguments": {"city": "Oslo"}}]})
    yield turn("as an object", {"content": '{"city": "Oslo", "degrees": -3}'})
    yield turn("refused", {"error": {"message": "slow down sk-secret"}, "status": 429})
    yield turn("no key", {"error": {"message": "bad key sk-secret"}, "status": 401})
    yield turn("out of order", {"error": {"message": "oops at db-7.internal"}, "status": 500})
    yield turn("hang up", {"content": "x"}, chaos={"disconnectRate": 1})
    yield turn("take your time", {"content": LONG}, chunkSize=4, latency=300)


@pytest.fixture(scope="package")
def server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("model"), list(fixtures())) as url:
        yield url


@pytest.fixture(autouse=True)
def quiet():
    for name in ("openai.agents", "langgraph", "langchain"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
