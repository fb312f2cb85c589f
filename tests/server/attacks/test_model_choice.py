"""Test that no caller chooses the model, its provider's options or the request's headers."""

import json

import pytest
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from mastra_core import Agent, Mastra, Server, Workflow
from mastra_core.errors import ConfigError
from tests import scripted_server
from tests.model_answers import COMPLETION, COMPLETION_CHUNK, JSON

CHEAP, DEAR = "cheap-model", "dear-model"
ANSWER = {**COMPLETION, "model": CHEAP}
CHUNK = {**COMPLETION_CHUNK, "model": CHEAP}
HONEST = {
    "temperature": 0.5,
    "topP": 0.9,
    "maxOutputTokens": 50,
    "presencePenalty": 0.1,
    "frequencyPenalty": -0.1,
    "stopSequences": ["END"],
    "seed": 7,
    "maxRetries": 1,
}
RECEIVED = {
    "temperature": 0.5,
    "top_p": 0.9,
    "presence_penalty": 0.1,
    "frequency_penalty": -0.1,
    "stop": ["END"],
    "seed": 7,
}
REFUSED = {
    "extraBody": {"model": DEAR},
    "extra_body": {"model": DEAR},
    "ExtraBody": {"model": DEAR},
    "extraHeaders": {"authorization": "Bearer stolen"},
    "headers": {"authorization": "Bearer stolen"},
    "timeout": 86_400,
    "requestTimeout": 86_400,
    "logitBias": {"1": 100},
    "serviceTier": "priority",
    "openaiPreviousResponseId": "resp_of_another",
    "thinking": "high",
    "toolChoice": "required",
    "abortSignal": {},
}
INVALID = {
    "temperature": [2.5, -1, "hot", [1]],
    "topP": [1.5, -0.1],
    "topK": [-1, 0.5],
    "maxOutputTokens": [0, -5, 2**40, "many"],
    "maxTokens": [0],
    "presencePenalty": [3],
    "frequencyPenalty": [-3],
    "stopSequences": ["END", [1], [""], ["x"] * 65],
    "seed": [2**70, "x"],
    "maxRetries": [1000, -1],
}


def answer(request):
    if not json.loads(request.body).get("stream"):
        return 200, JSON, ANSWER
    chunk = f"data: {json.dumps(CHUNK)}\n\ndata: [DONE]\n\n".encode()
    return 200, {"content-type": "text/event-stream"}, chunk


@pytest.fixture(scope="module")
def provider():
    """A provider of models that records what it receives."""
    with scripted_server.serve(answer) as server:
        yield server


def create_app_with_provider(provider, **settings):
    openai = OpenAIProvider(base_url=f"{provider.url}/v1", api_key="key-of-the-app")
    model = OpenAIChatModel(CHEAP, provider=openai)
    agent = Agent(name="clerk", model=model, instructions="Be brief.")
    return Mastra(
        agents={"clerk": agent},
        workflows={"desk": Workflow("desk").then(agent)},
        logger=False,
        server=Server(mcp=True, **settings),
    )


@pytest.fixture(scope="module")
def app(serve, provider):
    with serve(create_app_with_provider(provider)) as server:
        yield server


def send_each_way(http, options, words):
    """Yield the response to ``options`` for every route that runs the agent with options."""
    clerk, run = "/api/agents/clerk", {"messages": words, **options}
    for name in ("generate", "generate/vnext", "stream", "stream/vnext", "streamVNext"):
        yield http.post(f"{clerk}/{name}", json=run)
    for name in ("stream-until-idle", "stream/ui", "stream/vnext/ui"):
        yield http.post(f"{clerk}/{name}", json=run)
    thread = {"threadId": "t", "message": words, "ifIdle": {"streamOptions": options}}
    yield http.post(f"{clerk}/send-message", json=thread)
    yield http.post(f"{clerk}/queue-message", json=thread)


def list_received(provider, words):
    """Return the body and the headers of the provider's requests with these words."""
    bodies = [json.loads(each) for each in provider.bodies]
    received = zip(bodies, provider.headers, strict=False)
    return [each for each in received if words in json.dumps(each[0])]


def get_refused_field(answer):
    assert answer.status_code == 400, answer.text
    return answer.json()["issues"][0]["field"]


def test_honest_settings_reach_the_provider(app, provider):
    for answer in send_each_way(app.http, {"modelSettings": HONEST}, "honest"):
        assert answer.status_code == 200, answer.text
    for first, headers in list_received(provider, "honest"):
        assert {name: first[name] for name in RECEIVED} == RECEIVED
        assert 50 in (first.get("max_tokens"), first.get("max_completion_tokens"))
        assert (first["model"], headers["authorization"]) == (CHEAP, "Bearer key-of-the-app")


@pytest.mark.parametrize("name", REFUSED)
def test_refused_settings(app, provider, name):
    words = f"refuse {name}"
    for answer in send_each_way(app.http, {"modelSettings": {name: REFUSED[name]}}, words):
        assert get_refused_field(answer) == f"modelSettings.{name}"
    assert not list_received(provider, words)


@pytest.mark.parametrize("name", INVALID)
def test_settings_out_of_range(app, provider, name):
    for value in INVALID[name]:
        body = {"messages": "out of range", "modelSettings": {name: value}}
        answer = app.http.post("/api/agents/clerk/generate", json=body)
        assert get_refused_field(answer).startswith(f"modelSettings.{name}")
    assert not list_received(provider, "out of range")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("model", DEAR),
        ("model", {"id": DEAR, "url": "http://127.0.0.1:1"}),
        ("providerOptions", {"openai": {"model": DEAR}}),
        ("toolsets", {"mine": {"tool": {}}}),
    ],
)
def test_other_options_of_the_original(app, provider, name, value):
    for answer in send_each_way(app.http, {name: value}, "other options"):
        assert get_refused_field(answer) == name
    assert not list_received(provider, "other options")
    for empty in (None, {}) if name != "model" else (None,):
        body = {"messages": "x", name: empty}
        assert app.http.post("/api/agents/clerk/generate", json=body).status_code == 200


def test_responses_api(app, provider):
    honest = {"model": "clerk", "input": "respond", "temperature": 0.5, "top_p": 0.5}
    limit = {"max_output_tokens": 9}
    answer = app.http.post("/api/v1/responses", json={**honest, **limit})
    assert answer.status_code == 200, answer.text
    for name, value in (("temperature", 9), ("top_p", -1), ("max_output_tokens", 0)):
        answer = app.http.post("/api/v1/responses", json={**honest, name: value})
        assert get_refused_field(answer) == name
    extra = {"extra_body": {"model": DEAR}, "metadata": {"model": DEAR}, "reasoning": {"effort": 1}}
    assert app.http.post("/api/v1/responses", json={**honest, **extra}).status_code == 200
    received = list_received(provider, "respond")
    assert [body["model"] for body, _ in received] == [CHEAP, CHEAP]
    assert DEAR not in json.dumps([body for body, _ in received])


def test_mcp_and_workflows(app, provider):
    extra = {"modelSettings": {"extraBody": {"model": DEAR}}, "model": DEAR}
    path = "/api/mcp/mastra/tools/ask_clerk/execute"
    asked = app.http.post(path, json={"data": {"message": "elsewhere", **extra}, **extra})
    assert asked.json() == {"result": "hello"}
    run = app.http.post(
        "/api/workflows/desk/start-async",
        json={"inputData": "elsewhere", "initialState": {}, **extra},
    )
    assert run.json()["status"] == "success", run.text
    call = {"name": "ask_clerk", "arguments": {"message": "elsewhere", **extra}}
    protocol = {"jsonrpc": "2.0", "method": "tools/call", "id": 1, "params": call}
    headers = {"accept": "application/json, text/event-stream"}
    assert app.http.post("/api/mcp/mastra/mcp", json=protocol, headers=headers).status_code == 200
    received = list_received(provider, "elsewhere")
    assert [body["model"] for body, _ in received] == [CHEAP] * 3
    assert DEAR not in json.dumps([body for body, _ in received])


def test_settings_that_the_application_allows(serve, provider):
    mastra = create_app_with_provider(provider, model_settings=["extra_body", "service_tier"])
    with serve(mastra) as server:
        allowed = {"extraBody": {"user": "ada"}, "temperature": 1}
        body = {"messages": "opted in", "modelSettings": allowed}
        assert server.http.post("/api/agents/clerk/generate", json=body).status_code == 200
        ((received, _),) = list_received(provider, "opted in")
        assert (received["user"], received["temperature"]) == ("ada", 1)
        refused = {"messages": "x", "modelSettings": {"extraHeaders": {"a": "b"}}}
        answer = server.http.post("/api/agents/clerk/generate", json=refused)
        assert get_refused_field(answer) == "modelSettings.extraHeaders"


@pytest.mark.parametrize("names", ["extra_body", ["extraBody"], ["a b"], [""]])
def test_invalid_names_of_settings(names):
    with pytest.raises(ConfigError, match=r"not the name of a setting|is text"):
        Server(model_settings=names)
