"""Test the stream of a chat user interface with the AI SDK."""

import pytest

from tests.node import install_packages, run_script
from tests.repository import TESTS
from tests.server.sample_agents import create_application


@pytest.fixture(scope="module")
def results(serve):
    home = install_packages("ai@5.0.60")
    script = TESTS / "server/clients/ai_sdk.mjs"
    with serve(create_application()) as server:
        return run_script(script, home, server.url)


def parts(answer):
    assert answer["errors"] == []
    return [part for part in answer["message"]["parts"] if part["type"] != "step-start"]


def test_text_and_reasoning(results):
    (text,) = parts(results["hi"])
    assert (text["type"], text["text"], text["state"]) == ("text", "You said hi.", "done")
    assert [part["type"] for part in parts(results["think"])] == ["reasoning", "text"]


def test_tool(results):
    output, text, call = sorted(parts(results["work"]), key=lambda part: part["type"])
    assert output["data"]["output"] == {"done": 1}
    assert (call["type"], call["state"], call["output"]) == (
        "tool-work", "output-available", "ready",
    )  # fmt: skip
    assert text["text"] == "Then: ready"


def test_tool_that_fails(results):
    call, text = parts(results["fail"])
    assert (call["type"], call["state"], call["errorText"]) == (
        "tool-fail", "output-error", "no such row",
    )  # fmt: skip
    assert text["text"] == "Then: no such row"


def test_arguments_stream(results):
    pieces = [part for part in results["pieces"] if part["type"].startswith("tool-input")]
    assert [part["type"] for part in pieces] == [
        "tool-input-start", "tool-input-delta", "tool-input-delta", "tool-input-available",
    ]  # fmt: skip
    assert "".join(part["inputTextDelta"] for part in pieces[1:3]) == '{"amount":3}'
    assert pieces[-1]["input"] == {"amount": 3}


def test_approval(results):
    call, asks = parts(results["pay"])
    assert (call["type"], call["state"]) == ("tool-pay", "input-available")
    assert asks["type"] == "data-tool-call-approval"
    assert asks["data"]["toolCallId"] == "pay-0"
    assert asks["data"]["runId"]


def test_agent_as_a_tool_and_next_message(results):
    assert any(part["type"] == "tool-agent-helper" for part in parts(results["delegate"]))
    assert parts(results["again"])[-1]["text"] == "You said and now."
