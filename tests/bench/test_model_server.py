"""The model server of the benchmarks, asked by OpenAI's own client."""

import httpx
import openai
import pytest

from tests.bench.bench_scripts import load_module

MESSAGES = [{"role": "user", "content": "hi"}]


ADD = {
    "type": "function",
    "function": {"name": "add", "parameters": {"type": "object", "properties": {}}},
}
ANSWER = "".join(f"word{number} " for number in range(20))

model_server = load_module("model_server")


@pytest.fixture(scope="module")
def environ():
    with model_server.serve_model() as environ:
        yield environ


@pytest.fixture
def client(environ):
    with openai.OpenAI(
        base_url=environ["OPENAI_BASE_URL"],
        api_key=environ["OPENAI_API_KEY"],
        max_retries=0,
        http_client=httpx.Client(trust_env=False),
    ) as client:
        yield client


def test_a_completion(client):
    completion = client.chat.completions.create(model="small", messages=MESSAGES)
    assert (completion.object, completion.model) == ("chat.completion", "small")
    (choice,) = completion.choices
    assert (choice.message.role, choice.message.content) == ("assistant", "echo")
    assert choice.finish_reason == "stop"
    assert completion.usage.total_tokens == 10


@pytest.mark.parametrize("usage", [True, False])
def test_a_stream(client, usage):
    stream = client.chat.completions.create(
        model="small", messages=MESSAGES, stream=True, stream_options={"include_usage": usage}
    )
    chunks = list(stream)
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
    choices = [choice for chunk in chunks for choice in chunk.choices]
    assert "".join(choice.delta.content or "" for choice in choices) == "echo"
    assert [choice.finish_reason for choice in choices] == [None, "stop"]
    assert [chunk.usage.total_tokens for chunk in chunks if chunk.usage] == [10] * usage


def test_another_path(client):
    with pytest.raises(openai.NotFoundError):
        client.embeddings.create(model="small", input="hi")


def test_a_tool_call_comes_before_the_answer(client, environ):
    before = model_server.count_answers(environ)
    request = {"model": "caller", "messages": MESSAGES, "tools": [ADD]}
    (choice,) = client.chat.completions.create(**request).choices
    assert choice.finish_reason == "tool_calls"
    (call,) = choice.message.tool_calls
    assert (call.function.name, call.function.arguments) == ("add", '{"a": 1, "b": 2}')
    assert model_server.count_answers(environ) == before
    result = {"role": "tool", "tool_call_id": call.id, "content": "3"}
    message = choice.message.model_dump(exclude_none=True)
    request["messages"] = [*MESSAGES, message, result]
    (choice,) = client.chat.completions.create(**request).choices
    assert (choice.message.content, choice.finish_reason) == (ANSWER, "stop")
    assert model_server.count_answers(environ) == before + 1


def test_a_streamed_tool_call(client):
    request = {"model": "caller", "messages": MESSAGES, "tools": [ADD], "stream": True}
    deltas = [each.choices[0].delta for each in client.chat.completions.create(**request)]
    functions = [each.tool_calls[0].function for each in deltas if each.tool_calls]
    assert functions[0].name == "add"
    assert "".join(each.arguments for each in functions) == '{"a": 1, "b": 2}'


def test_a_streamed_answer_has_a_piece_for_each_word(client):
    stream = client.chat.completions.create(model="caller", messages=MESSAGES, stream=True)
    contents = [each.choices[0].delta.content for each in stream]
    assert "".join(filter(None, contents)) == ANSWER
    assert len(list(filter(None, contents))) == 20
