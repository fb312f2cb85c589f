"""Return text and numbers that JSON cannot contain: runs, storage and listings never fail on them."""

import json
import logging

import pytest
from pydantic_ai.models.test import TestModel

from mastra_core import Agent, AgentInput, Mastra, Memory, SqliteStorage, Workflow, step, tool
from mastra_core.agents import TextDelta, ToolCall

HALF = json.loads('"half an emoji \\ud83d"')
SHOWN = "half an emoji \ufffd"
GIANT = 10**5000
THREAD = {"thread": "t1", "resource": "ann"}


async def half(text: str) -> str:
    return text if text == "honest 😀" else HALF


async def pieces(text: str):
    yield "one "
    yield HALF
    yield " three 😀"


async def facts(text: str) -> dict:
    return {"nan": float("nan"), "giant": [GIANT], HALF: (HALF, "😀")}


async def opaque(text: str):
    yield TextDelta(text="before")
    yield ToolCall(id="1", name="look", arguments={"thing": object()})


async def fail(text: str) -> str:
    raise ValueError(HALF)


@tool
def scrape(url: str) -> dict:
    """Read a page."""
    return {"page": HALF, "giant": GIANT}


@step
async def read_page(url: str) -> str:
    return HALF if "bad" in url else "fine 😀"


@step
async def count(url: str) -> dict:
    if "fails" in url:
        raise RuntimeError(HALF)
    return {"giant": GIANT, "nan": float("nan"), "text": [url]}


async def entitle(input: AgentInput) -> str:
    return HALF


@pytest.fixture(scope="module", autouse=True)
def without_captured_logs():
    """Keep tracebacks with halves of emojis from pytest-xdist, which cannot send them."""
    loggers = [logging.getLogger(name) for name in ("mastra.agents", "mastra.workflows")]
    for logger in loggers:
        logger.addFilter(_refuse)
    yield
    for logger in loggers:
        logger.removeFilter(_refuse)


def _refuse(record):
    return False


@pytest.fixture(scope="module")
def http(serve, tmp_path_factory):
    mastra = Mastra(
        agents={
            "half": half,
            "pieces": pieces,
            "facts": facts,
            "opaque": opaque,
            "fail": fail,
            "reader": Agent(name="reader", model=TestModel(), tools=[scrape]),
        },
        workflows={"pages": Workflow("pages").then(read_page).then(count)},
        memory=Memory(generate_title=entitle),
        storage=SqliteStorage(tmp_path_factory.mktemp("unencodable") / "app.db"),
        server={"traces": True},
    )
    with serve(mastra) as server:
        yield server.http


def generate(http, agent, text="hello", **memory):
    body = {"messages": text, **({"memory": memory} if memory else {})}
    return http.post(f"/api/agents/{agent}/generate", json=body)


def stream(http, agent, path="stream"):
    text = http.post(f"/api/agents/{agent}/{path}", json={"messages": "hello"}).text
    lines = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data:")]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


def test_text_of_a_run_and_of_its_thread(http):
    answer = generate(http, "half", **THREAD)
    assert (answer.status_code, answer.json()["text"]) == (200, SHOWN)
    assert generate(http, "half", "honest 😀", **THREAD).json()["text"] == "honest 😀"
    listed = http.get("/api/memory/threads/t1/messages")
    assert [each["content"]["parts"][0]["text"] for each in listed.json()["messages"]] == [
        "hello", SHOWN, "honest 😀", "honest 😀",
    ]  # fmt: skip
    assert http.get("/api/memory/threads/t1").json()["title"] == SHOWN


@pytest.mark.parametrize("path", ["stream", "stream/ui"])
def test_streamed_text(http, path):
    chunks = stream(http, "pieces", path)
    deltas = [each.get("delta") or each["payload"]["text"] for each in chunks
              if each["type"] == "text-delta"]  # fmt: skip
    assert "".join(deltas) == f"one {SHOWN} three 😀"
    assert chunks[-1]["type"] == "finish"


def test_structured_output(http):
    found = generate(http, "facts").json()["object"]
    assert found == {"nan": None, "giant": [None], SHOWN: [SHOWN, "😀"]}


def test_result_of_a_tool(http):
    answer = generate(http, "reader", thread="t2", resource="ann")
    assert answer.status_code == 200, answer.text
    (result,) = answer.json()["toolResults"]
    assert result["payload"]["result"] == {"page": SHOWN, "giant": None}
    assert http.get("/api/memory/threads/t2/messages").status_code == 200
    again = generate(http, "reader", thread="t2", resource="ann")
    assert again.status_code == 200, again.text


def test_message_of_an_error(http):
    answer = generate(http, "fail")
    assert (answer.status_code, answer.json()) == (500, {"error": SHOWN})
    assert stream(http, "fail")[-1]["type"] == "finish"


@pytest.mark.parametrize("path", ["stream", "stream/ui"])
def test_event_without_a_json_form(http, path):
    chunks = stream(http, "opaque", path)
    (error,) = [each for each in chunks if each["type"] == "error"]
    assert "object cannot be encoded as JSON" in json.dumps(error)
    assert generate(http, "opaque").status_code == 500


@pytest.mark.parametrize("url", ["bad", "honest", "bad fails"])
def test_listing_of_runs(http, url):
    start = f"/api/workflows/pages/start-async?runId={url}"
    assert http.post(start, json={"inputData": url}).status_code == 200
    assert http.get(f"/api/workflows/pages/runs/{url}").status_code == 200
    listed = http.get("/api/workflows/pages/runs")
    assert listed.status_code == 200, listed.text
    (snapshot,) = [each["snapshot"] for each in listed.json()["runs"] if each["runId"] == url]
    text = snapshot["context"]["read_page"]["output"]
    assert text == ("fine 😀" if url == "honest" else SHOWN)
    assert http.get("/api/observability/traces").status_code == 200
