"""The stream that a chat made with the AI SDK reads, by the AI SDK."""

import pytest

from tests.node import modules, told
from tests.repository import TESTS
from tests.server.sample_agents import made


@pytest.fixture(scope="module")
def got(serve):
    home = modules("ai@5.0.60")
    script = TESTS / "server/clients/ai_sdk.mjs"
    with serve(made()) as server:
        return told(script, home, server.url)


def parts(answer):
    assert answer["errors"] == []
    return [part for part in answer["message"]["parts"] if part["type"] != "step-start"]


def test_text_and_reasoning(got):
    (text,) = parts(got["hi"])
    assert (text["type"], text["text"], text["state"]) == ("text", "You said hi.", "done")
    assert [part["type"] for part in parts(got["think"])] == ["reasoning", "text"]


def test_a_tool(got):
    output, text, call = sorted(parts(got["work"]), key=lambda part: part["type"])
    assert output["data"]["output"] == {"done": 1}
    assert (call["type"], call["state"], call["output"]) == (
        "tool-work", "output-available", "ready",
    )  # fmt: skip
    assert text["text"] == "Then: ready"


def test_what_waits(got):
    call, asks = parts(got["pay"])
    assert (call["type"], call["state"]) == ("tool-pay", "input-available")
    assert asks["type"] == "data-tool-call-approval"
    assert asks["data"]["toolCallId"] == "pay-0"
    assert asks["data"]["runId"]


def test_another_agent_and_the_next_message(got):
    assert any(part["type"] == "tool-agent-helper" for part in parts(got["delegate"]))
    assert parts(got["again"])[-1]["text"] == "You said and now."
