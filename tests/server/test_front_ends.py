"""Test the front ends of docs/front-ends.md: the AI SDK, @mastra/react and AG-UI, in a page."""

import json
import re

import pytest

from mastra_core import Memory
from tests.node import install_front_ends, run_script
from tests.repository import ROOT, TESTS
from tests.server.sample_agents import create_application, paid


def list_blocks(language):
    page = (ROOT / "docs" / "front-ends.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def results(serve, tmp_path_factory):
    (application,) = list_blocks("python")
    names = {}
    exec(compile(application, "front-ends.md", "exec"), names)  # our own page
    blocks = tmp_path_factory.mktemp("page") / "blocks.json"
    with (
        serve(names["mastra"]) as page,
        serve(create_application(memory=Memory())) as shop,
    ):
        code = [
            block.replace("http://localhost:3000", page.url)
            for block in (*list_blocks("jsx"), *list_blocks("js"))
        ]
        blocks.write_text(json.dumps(code), encoding="utf-8")
        home = install_front_ends()
        paid.clear()
        script = TESTS / "server/clients/front_ends.mjs"
        seen = run_script(script, home, page.url, shop.url, blocks)
        return {**seen, "paid": list(paid)}


def test_examples_of_the_page(results):
    assert "You said hello." in results["page ai"]
    assert "paid" in results["page react"]
    (answer,) = results["page ag-ui"]
    assert answer["content"] == "You said hello."


def list_texts(messages):
    """The role and the text of each message of @mastra/react."""
    return [
        (
            message["role"],
            "".join(part.get("text", "") for part in message["content"]["parts"]),
        )
        for message in messages
    ]


def list_parts(messages, kind):
    parts = [part for message in messages for part in message["content"]["parts"]]
    return [part for part in parts if part["type"] == kind]


CONVERSATION = [
    ("user", "hi"), ("assistant", "You said hi."),
    ("user", "work"), ("assistant", "Then: ready"),
    ("user", "think"), ("assistant", "So."),
    ("user", "fail"), ("assistant", "Then: no such row"),
]  # fmt: skip


@pytest.mark.parametrize("name", ["react stream", "react generate", "react stored"])
def test_conversation_of_mastra_react(results, name):
    messages = results[name]
    assert list_texts(messages) == CONVERSATION
    (thought,) = list_parts(messages, "reasoning")
    assert thought["reasoning"] == "Hm."
    worked, failed = (part["toolInvocation"] for part in list_parts(messages, "tool-invocation"))
    assert (worked["state"], worked["result"]) == ("result", "ready")
    if name == "react generate":  # the package shows such a call without a result
        assert failed["state"] == "call"
    else:
        assert (failed["state"], failed["errorText"]) == ("output-error", "no such row")


@pytest.mark.parametrize(
    ("decision", "answer"), [("approve", "paid 3"), ("decline", "The tool call was declined.")]
)
def test_decision_after_a_reload(results, decision, answer):
    for messages in results[f"react {decision}"].values():
        assert list_texts(messages) == [("user", "pay"), ("assistant", f"Then: {answer}")]
    (call,) = list_parts(results[f"react {decision}"]["stored"], "tool-invocation")
    assert call["toolInvocation"]["result"] == answer
    assert results["paid"] == [3]


def test_conversation_of_ag_ui(results):
    messages, kinds = (
        results["ag-ui"]["messages"],
        [each["type"] for each in results["ag-ui"]["events"]],
    )
    assert [each["content"] for each in messages if each.get("content")] == [
        "hi", "You said hi.", "work", '"ready"', "Then: ready", "think", "Hm.", "So.",
        "fail", "Then: no such row",
    ]  # fmt: skip
    assert kinds.count("RUN_STARTED") == kinds.count("RUN_FINISHED") == 4
    assert kinds.count("TEXT_MESSAGE_CONTENT") > 8
    for name in ("TOOL_CALL_ARGS", "TOOL_CALL_RESULT", "REASONING_MESSAGE_CONTENT"):
        assert name in kinds
    # The whole conversation is sent each time, and stored once.
    assert list_texts(results["ag-ui"]["stored"]) == CONVERSATION


def test_interrupt_of_ag_ui(results):
    interrupt = results["ag-ui interrupt"]
    assert interrupt["toolCallId"] == "ask-0"
    assert interrupt["responseSchema"]["required"] == ["answer"]
    assert results["ag-ui resumed"]["messages"][-1]["content"] == "Then: answered At noon"
    stored = list_texts(results["ag-ui resumed"]["stored"])
    assert stored == [("user", "ask"), ("assistant", "Then: answered At noon")]
