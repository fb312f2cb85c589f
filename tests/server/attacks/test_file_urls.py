"""Test that no caller makes the server load a file by its URL."""

import asyncio

import httpx
import pydantic_ai
import pytest
from pydantic_ai import _ssrf
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from mastra_core import Agent, AgentInput, Mastra
from mastra_core.agents import FilePart, Message, TextPart, ToolCallPart, ToolResultPart, as_agent
from mastra_core.errors import AgentFailed
from tests.model_server import serve_scripted_model

AGENTS = ("own", "native")
SCRIPT = '["Seen."]'
ADDRESS = "https://files.example/report"
# Providers that speak OpenAI's protocol load images only; pydantic-ai loads everything else.
DOWNLOADED = {
    "document": {"type": "file", "mediaType": "application/pdf", "data": f"{ADDRESS}.pdf"},
    "text": {"type": "file", "mediaType": "text/plain", "url": f"{ADDRESS}.txt"},
    "audio": {"type": "file", "mediaType": "audio/wav", "data": f"{ADDRESS}.wav"},
}


@pytest.fixture(scope="module")
def model_server(tmp_path_factory):
    with serve_scripted_model(tmp_path_factory.mktemp("model")) as server:
        yield server


def build_agents(model_server):
    provider = OpenAIProvider(base_url=model_server.url, api_key="none")
    model = OpenAIChatModel("gpt-4o", provider=provider)
    return {
        "own": Agent(name="own", model=model),
        "native": pydantic_ai.Agent(model, name="native"),
    }


@pytest.fixture(scope="module")
def http(serve, model_server):
    agents = build_agents(model_server)
    with serve(Mastra(agents=agents, logger=False, server={"traces": True})) as server:
        yield server.http


@pytest.fixture
def loaded(monkeypatch, model_server):
    """Return the URLs that pydantic-ai loads; the responses stand in for other hosts."""
    model_server.bodies.clear()
    urls = []

    async def load(url, **_):
        urls.append(url)
        return httpx.Response(200, content=b"content", headers={"content-type": "application/pdf"})

    monkeypatch.setattr(_ssrf, "safe_download", load)
    return urls


def build_messages(part):
    return [{"role": "user", "content": [{"type": "text", "text": SCRIPT}, part]}]


@pytest.mark.parametrize("part", DOWNLOADED.values(), ids=DOWNLOADED)
@pytest.mark.parametrize("agent", AGENTS)
def test_a_file_that_the_provider_cannot_load(http, loaded, model_server, agent, part):
    body = {"messages": build_messages(part)}
    answer = http.post(f"/api/agents/{agent}/generate", json=body)
    assert (answer.status_code, loaded, model_server.bodies) == (400, [], [])
    assert "does not load files for callers" in answer.json()["error"]
    assert ADDRESS in answer.json()["error"]
    stream = http.post(f"/api/agents/{agent}/stream", json=body).text
    assert "does not load files for callers" in stream
    assert loaded == []


@pytest.mark.parametrize("agent", AGENTS)
def test_a_file_over_other_operations(http, loaded, agent):
    content = [{"type": "input_text", "text": SCRIPT}]
    content.append({"type": "input_file", "file_url": f"{ADDRESS}.pdf"})
    body = {"agent_id": agent, "input": [{"role": "user", "content": content}]}
    assert http.post("/api/v1/responses", json=body).status_code == 400
    parts = [{"kind": "text", "text": SCRIPT}, {"kind": "file", "file": {"uri": f"{ADDRESS}.pdf"}}]
    message = {"messageId": "m", "role": "user", "parts": parts}
    call = {"jsonrpc": "2.0", "id": 1, "method": "message/send", "params": {"message": message}}
    answer = http.post(f"/api/a2a/{agent}", json=call).json()
    assert "does not load files for callers" in answer["error"]["message"]
    earlier = [*build_messages(DOWNLOADED["document"]), {"role": "assistant", "content": "Seen."}]
    body = {"messages": [*earlier, {"role": "user", "content": SCRIPT}]}
    assert http.post(f"/api/agents/{agent}/generate", json=body).status_code == 400
    assert loaded == []


@pytest.mark.parametrize("agent", AGENTS)
def test_files_that_the_provider_loads_and_files_in_the_body(http, loaded, model_server, agent):
    image = {"type": "image", "image": "https://files.example/a.png"}
    inline = {"type": "file", "mediaType": "application/pdf", "data": "Y29udGVudA=="}
    for part in (image, inline):
        answer = http.post(f"/api/agents/{agent}/generate", json={"messages": build_messages(part)})
        assert (answer.status_code, answer.json()["text"].strip()) == (200, "Seen.")
    sent = [each["messages"][-1]["content"][1] for each in model_server.bodies]
    assert sent[0]["image_url"]["url"] == "https://files.example/a.png"
    assert sent[1]["file"]["file_data"].endswith("Y29udGVudA==")
    assert loaded == []


@pytest.mark.parametrize("url", ["s3://bucket/key", "gs://bucket/key", "file:///etc/passwd"])
def test_addresses_that_are_not_of_the_web(http, url):
    """A provider would load such an object with the account of the server."""
    for part in ({"type": "file", "data": url}, {"type": "image", "image": url}):
        body = {"messages": build_messages(part)}
        answer = http.post("/api/agents/own/generate", json=body)
        assert answer.status_code == 400
        assert "https://" in answer.json()["issues"][0]["message"]


@pytest.mark.parametrize("agent", AGENTS)
def test_a_file_of_the_application_itself(loaded, model_server, agent):
    file = FilePart(media_type="application/pdf", url=f"{ADDRESS}.pdf")
    message = Message(role="user", parts=(TextPart(text=SCRIPT), file))
    agent = as_agent(build_agents(model_server)[agent])
    output = asyncio.run(agent.generate(AgentInput(messages=(message,))))
    assert (output.text.strip(), loaded) == ("Seen.", [f"{ADDRESS}.pdf"])
    assert model_server.bodies[-1]["messages"][-1]["content"][1]["type"] == "file"


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize("agent", AGENTS)
def test_a_file_beside_the_result_of_a_tool(loaded, model_server, agent, stored):
    """Such a message may also contain files of tools, which pydantic-ai loads."""
    file = FilePart(media_type="application/pdf", url=f"{ADDRESS}.pdf")
    messages = (
        Message.user("Look."),
        Message(role="assistant", parts=(ToolCallPart(id="c1", name="look", arguments={}),)),
        Message(role="tool", parts=(ToolResultPart(id="c1", name="look", result="x"),)),
        Message(role="user", parts=(TextPart(text=SCRIPT), file)),
    )
    agent = as_agent(build_agents(model_server)[agent])
    run_input = AgentInput(messages=messages, caller="ann")
    if stored:
        output = asyncio.run(agent.generate(AgentInput(messages=messages)))
        assert loaded.pop() == f"{ADDRESS}.pdf"
        run_input = AgentInput(
            messages=(Message.user(SCRIPT),), history=output.history, caller="ann"
        )
    with pytest.raises(AgentFailed, match="does not load files for callers"):
        asyncio.run(agent.generate(run_input))
    assert loaded == []
