"""The faster client of OpenAI's models sends and builds the same as OpenAI's SDK does."""

import asyncio
import contextlib
import json

import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionChunk
from openai.types.responses import ResponseStreamEvent
from pydantic import create_model
from pydantic_ai.messages import ModelRequest as MessageRequest
from pydantic_ai.messages import UserPromptPart
from pydantic_ai.models import ModelRequestParameters, infer_model
from pydantic_ai.tools import ToolDefinition

from mastra_core.agents.loop.model_request import ModelRequest
from mastra_core.agents.pydantic_ai.models import ModelCache
from mastra_core.agents.pydantic_ai.openai_objects import UnexpectedShape, build_object
from mastra_core.agents.pydantic_ai.unlocked_stream import unlock_stream
from tests.scripted_server import serve

pytestmark = pytest.mark.anyio

HEAD = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "small"}
DELTAS = [
    {"role": "assistant", "content": ""},
    {"content": "He said: ü \u2028"},
    {"reasoning_content": "hm", "content": None},
    {
        "tool_calls": [
            {
                "index": 0,
                "id": "c",
                "type": "function",
                "function": {"name": "add", "arguments": ""},
            }
        ]
    },
    {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]},
    {"refusal": "no", "unknown": {"nested": [1, None]}},
]
USAGE = {
    "prompt_tokens": 7,
    "completion_tokens": 3,
    "total_tokens": 10,
    "prompt_tokens_details": {"cached_tokens": 2},
    "completion_tokens_details": None,
}
CHUNKS = [
    *({**HEAD, "choices": [{"index": 0, "delta": delta, "logprobs": None}]} for delta in DELTAS),
    {**HEAD, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "service_tier": None},
    {**HEAD, "choices": [], "usage": USAGE, "system_fingerprint": "fp"},
]
EVENT = {"type": "response.output_text.delta", "item_id": "i", "output_index": 0}
EVENTS = [
    {**EVENT, "content_index": 0, "delta": "He", "logprobs": [], "sequence_number": 4},
    {
        "type": "response.function_call_arguments.delta",
        "item_id": "i",
        "output_index": 1,
        "delta": "{",
        "sequence_number": 5,
        "obfuscation": "xx",
    },
]
# What the SDK coerces, or keeps although it is invalid.
UNUSUAL_CHUNKS = [
    {},
    {**HEAD, "choices": None},
    {**HEAD, "choices": "none"},
    {**HEAD, "created": 1.5, "choices": []},
    {**HEAD, "choices": [{"index": "0", "delta": {"content": 5}, "finish_reason": "other"}]},
    {**HEAD, "choices": [{"index": 0, "delta": None}]},
    {**HEAD, "choices": [], "usage": {"prompt_tokens": 1}},
]
UNUSUAL_EVENTS = [{}, {"type": "response.unknown"}, {**EVENT, "delta": 3}, {"type": ["x"]}]
TOOL = ToolDefinition(
    name="add",
    description="Adds.",
    parameters_json_schema={"type": "object", "properties": {"a": {"type": "number"}}},
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-1, 1) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=3,
)


def build_by_sdk(type_, value):
    """Build a value by the public method of the SDK."""
    return (
        create_model("Holder", __base__=openai.BaseModel, piece=(type_, ...))
        .construct(piece=value)
        .piece
    )


def describe(value):
    """Return everything that a caller may read of an object."""
    if isinstance(value, openai.BaseModel):
        fields = {name: describe(getattr(value, name)) for name in type(value).model_fields}
        return type(value), fields, value.model_extra, value.model_fields_set
    return [describe(each) for each in value] if isinstance(value, list) else (type(value), value)


@pytest.mark.parametrize("chunk", CHUNKS)
def test_chunks_are_those_of_the_sdk(chunk):
    built = build_object(ChatCompletionChunk, chunk)
    assert describe(built) == describe(build_by_sdk(ChatCompletionChunk, chunk))


@pytest.mark.parametrize("event", EVENTS)
def test_events_are_those_of_the_sdk(event):
    built = build_object(ResponseStreamEvent, event)
    assert describe(built) == describe(build_by_sdk(ResponseStreamEvent, event))


@pytest.mark.parametrize("value", [*UNUSUAL_CHUNKS, [1], "text", None])
def test_unusual_chunks_are_left_to_the_sdk(value):
    with pytest.raises(UnexpectedShape):
        build_object(ChatCompletionChunk, value)


@pytest.mark.parametrize("value", [*UNUSUAL_EVENTS, [1], "text", None])
def test_unusual_events_are_left_to_the_sdk(value):
    with pytest.raises(UnexpectedShape):
        build_object(ResponseStreamEvent, value)


def list_paths(value, path=()):
    """Return the path of every value within a value."""
    if isinstance(value, dict):
        items = value.items()
    else:
        items = enumerate(value if isinstance(value, list) else ())
    return [path, *(each for key, inner in items for each in list_paths(inner, (*path, key)))]


def replace(value, path, new):
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = replace(value[path[0]], path[1:], new)
    return copy


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_change_gives_the_same_object_or_is_left_to_the_sdk(data):
    type_, values = data.draw(
        st.sampled_from([(ChatCompletionChunk, CHUNKS), (ResponseStreamEvent, EVENTS)])
    )
    value = data.draw(st.sampled_from(values))
    path = data.draw(st.sampled_from(list_paths(value)))
    changed = replace(value, path, data.draw(JSON))
    try:
        built = build_object(type_, changed)
    except UnexpectedShape:
        return
    assert describe(built) == describe(build_by_sdk(type_, changed))


class _Recorder:
    """Answers with the stream of the test, and keeps the requests and the ports of clients."""

    def __init__(self):
        self.requests, self.events, self.ports = [], [], set()

    def __call__(self, request):
        names = {"authorization", "content-type", "x-stainless-retry-count"}
        headers = {name: text for name, text in request.headers.items() if name.lower() in names}
        self.requests.append((request.path, headers, json.loads(request.body)))
        self.ports.add(request.client_address[1])
        data = [json.dumps(each) for each in self.events]
        body = "".join(f"data: {each}\n\n" for each in [*data, "[DONE]"]).encode()
        return 200, {"content-type": "text/event-stream"}, body


@pytest.fixture
def recorder(monkeypatch):
    recorder = _Recorder()
    with serve(recorder) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "none")
        yield recorder


async def stream_events(model, settings):
    messages = [MessageRequest(parts=[UserPromptPart("hi")], instructions="Help.")]
    parameters = ModelRequestParameters(function_tools=[TOOL])
    async with model.request_stream(messages, settings, parameters) as stream:
        events = [each async for each in stream]
    response = stream.get()
    return [repr(each) for each in events], [repr(part) for part in response.parts], stream.usage


RESPONSE = {
    "id": "r",
    "object": "response",
    "created_at": 0,
    "model": "small",
    "output": [],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
    "status": "completed",
}
TEXT_EVENTS = [
    {"type": "response.created", "response": RESPONSE, "sequence_number": 0},
    EVENTS[0],
    {**EVENTS[0], "delta": "llo", "sequence_number": 5},
    {"type": "response.completed", "response": RESPONSE, "sequence_number": 6},
]


@pytest.mark.parametrize(
    ("name", "events"),
    [("openai-chat:small", [*CHUNKS, *UNUSUAL_CHUNKS[3:4]]), ("openai:small", TEXT_EVENTS)],
)
@pytest.mark.parametrize("extra", [{}, {"extra_body": {"seed": 1}, "max_tokens": 5}])
async def test_requests_and_streams_are_those_of_the_sdk(recorder, name, events, extra):
    recorder.events = events
    cache = ModelCache()  # which keeps the connections open
    (fast,) = await cache.resolve([name])
    found = await stream_events(fast, dict(extra))
    async with infer_model(name) as plain:
        expected = await stream_events(plain, dict(extra))
    assert found == expected
    first, second = recorder.requests
    assert first == second
    assert first[2]["tools"]


@pytest.mark.parametrize(
    ("name", "events"), [("openai-chat:small", CHUNKS), ("openai:small", TEXT_EVENTS)]
)
async def test_pieces_of_a_stream_are_read_without_a_lock(recorder, name, events):
    recorder.events = events
    cache = ModelCache()
    (model,) = await cache.resolve([name])
    messages = [MessageRequest(parts=[UserPromptPart("hi")])]
    async with model.request_stream(messages, {}, ModelRequestParameters()) as stream:
        expected = [repr(each) async for each in stream]
    async with model.request_stream(messages, {}, ModelRequestParameters()) as stream:
        lock = stream._response._source_lock
        unlock_stream(stream)
        async with lock, asyncio.timeout(10):
            found = [repr(each) async for each in stream]
    assert found == expected


async def test_an_unlocked_stream_is_closed_before_its_end(recorder):
    recorder.events = CHUNKS
    cache = ModelCache()
    (model,) = await cache.resolve(["openai-chat:small"])
    request = ModelRequest(
        [model], [MessageRequest(parts=[UserPromptPart("hi")])], {}, ModelRequestParameters(), 10
    )
    for _ in range(3):
        async with contextlib.aclosing(request.stream()) as pieces:
            assert await anext(pieces)
    assert len(recorder.requests) == 3


async def test_an_error_in_a_stream_is_raised(recorder):
    recorder.events = [CHUNKS[0], {"error": {"message": "overloaded"}}]
    cache = ModelCache()
    (model,) = await cache.resolve(["openai-chat:small"])
    with pytest.raises(Exception, match="overloaded"):
        await stream_events(model, {})


async def test_connections_to_the_model_stay_open(recorder):
    recorder.events = CHUNKS
    cache = ModelCache()
    (model,) = await cache.resolve(["openai-chat:small"])
    for _ in range(3):
        await stream_events(model, {})
    assert len(recorder.ports) == 1
