"""Test a chat of the AI SDK's React package, which changes nothing but the host."""

import time

import pytest

from mastra_core import Memory, Server
from mastra_core.errors import ConfigError
from mastra_server import chat_routes
from mastra_server.agents import live_run
from mastra_server.agents.chat import ui_chat
from tests.node import install_front_ends, run_script
from tests.repository import TESTS
from tests.server.sample_agents import create_application, paid
from tests.server.sample_app import TickingRuns, ticking

PATHS = ("chat", "ui")


async def broken(text: str) -> str:
    raise ValueError("The shop is closed.")


@pytest.fixture(scope="module")
def server(serve):
    routes = [*chat_routes(), *chat_routes("/support", agent="shop")]
    agents = {"ticking": ticking, "broken": broken}
    mastra = create_application(agents, memory=Memory(), server=Server(api_routes=routes))
    with serve(mastra) as running_server:
        yield running_server


@pytest.fixture(scope="module")
def results(server):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(live_run, "ABORT_DELAY", 0.2)
        return run_script(TESTS / "server/clients/chat.mjs", install_front_ends(), server.url)


def list_texts(result):
    assert result.get("error") is None
    assert result["status"] == "ready"
    return [
        "".join(part["text"] for part in message["parts"] if part["type"] == "text")
        for message in result["messages"]
    ]


def list_stored(server, thread):
    return server.http.get(f"/api/memory/threads/{thread}/messages").json()["messages"]


def find_tool(message, name):
    (part,) = [part for part in message["parts"] if part["type"] == f"tool-{name}"]
    return part


@pytest.mark.parametrize("path", PATHS)
def test_history_is_stored_once(results, server, path):
    result = results[f"{path} history"]
    said = ["one", "You said one.", "two", "You said two.", "work", "Then: ready"]
    assert list_texts(result)[2:] == said[2:]
    stored = list_stored(server, f"{path}-history")
    assert [message["id"] for message in stored] == [each["id"] for each in result["messages"]]
    assert stored[0]["content"]["parts"][0]["filename"] == "a.txt"


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("memory", ["true", "false"])
def test_browser_tool_continues_the_message(results, server, path, memory):
    result = results[f"{path} browser tool {memory}"]
    assert list_texts(result) == ["locate", "Then: Oslo"]
    assert find_tool(result["messages"][1], "locate")["state"] == "output-available"
    if memory == "true":
        stored = list_stored(server, f"{path}-tool-true")
        assert [message["id"] for message in stored] == [each["id"] for each in result["messages"]]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("approved", ["true", "false"])
def test_approval(results, server, path, approved):
    result = results[f"{path} approval {approved}"]
    assert result["state"] == "approval-requested"
    texts = list_texts(result)
    assert len(texts) == 4, texts
    part = find_tool(result["messages"][1], "pay")
    state = "output-available" if approved == "true" else "output-denied"
    assert part["state"] == state
    assert texts[1].startswith("Then: ")
    assert texts[3] == "You said after."
    stored = list_stored(server, f"{path}-approval-{approved}")
    assert [message["id"] for message in stored] == [each["id"] for each in result["messages"]]


def test_stop_stops_the_model(results, server):
    (_, partial) = list_texts(results["stopped"])
    assert 0 < partial.count("tick") < 40
    end = time.monotonic() + 3
    while len(stored := list_stored(server, "stopped")) < 2:
        assert time.monotonic() < end
        time.sleep(0.05)
    assert TickingRuns.ended.count("tick") == 1
    assert stored[1]["content"]["metadata"] == {"aborted": True}
    assert stored[1]["content"]["content"].startswith(partial)
    assert stored[1]["content"]["content"].count("tick") < 40


def test_resume(results):
    (text,) = list_texts(results["resumed"])
    assert text.count("kept") == 40
    assert results["resumedTwice"]["messages"] == results["resumed"]["messages"]


def test_errors(results):
    assert results["failed"]["error"] == "The shop is closed."
    assert "Agent with id nobody not found" in results["unknown"]["error"]


def test_route_of_one_agent(results):
    assert list_texts(results["fixed"]) == ["hello", "You said hello."]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"path": "/chat"}, "has no agent"),
        ({"agent": "shop"}, "has two agents"),
        ({"version": "v4"}, "'v4' of the AI SDK is not supported"),
    ],
)
def test_invalid_routes(arguments, message):
    with pytest.raises(ConfigError, match=message):
        chat_routes(**arguments)


@pytest.mark.parametrize("id", ["r1::pay-0", "nothing", "::", "r1::", 5, None, "x::y::z"])
def test_decisions_about_nothing(server, id):
    """A decision about a run that does not wait executes nothing."""
    before = [*paid]
    part = {
        "type": "tool-pay", "toolCallId": "pay-0", "state": "approval-responded", "input": {},
        "approval": {"id": id, "approved": True},
    }  # fmt: skip
    user = {"id": "u1", "role": "user", "parts": [{"type": "text", "text": "hello"}]}
    messages = [user, {"id": "a1", "role": "assistant", "parts": [part]}]
    answer = server.http.post("/chat/shop", json={"id": "c", "messages": messages})
    assert (answer.status_code, paid) == (200, before)


def test_decision_about_a_run_whose_id_has_colons(server):
    before = [*paid]
    user = {"id": "u1", "role": "user", "parts": [{"type": "text", "text": "pay"}]}
    body = {"id": "c", "runId": "a::b", "messages": [user]}
    assert '"approvalId":"a::b::pay-0"' in server.http.post("/chat/shop", json=body).text
    part = {
        "type": "tool-pay", "toolCallId": "pay-0", "state": "approval-responded", "input": {},
        "approval": {"id": "a::b::pay-0", "approved": True},
    }  # fmt: skip
    messages = [user, {"id": "a1", "role": "assistant", "parts": [part]}]
    answer = server.http.post("/chat/shop", json={"id": "c", "messages": messages})
    assert "paid 3" in answer.text
    assert paid == [*before, 3]


def test_a_request_looks_up_few_runs(server, monkeypatch):
    """A message may name any number of runs, and each look-up takes a query of the storage."""
    looked_up, get_suspended_run = [], ui_chat.get_suspended_run

    async def get_and_count(request, agent, run_id):
        looked_up.append(run_id)
        return await get_suspended_run(request, agent, run_id)

    monkeypatch.setattr(ui_chat, "get_suspended_run", get_and_count)
    parts = [
        {"type": "tool-pay", "toolCallId": "pay-0", "state": "approval-responded", "input": {},
         "approval": {"id": f"r{number}::pay-0", "approved": True}}
        for number in range(50)
    ]  # fmt: skip
    user = {"id": "u2", "role": "user", "parts": [{"type": "text", "text": "hello"}]}
    messages = [user, {"id": "a2", "role": "assistant", "parts": parts}]
    answer = server.http.post("/chat/shop", json={"id": "c", "messages": messages})
    assert answer.status_code == 200
    assert looked_up == [f"r{number}" for number in range(40, 50)]
