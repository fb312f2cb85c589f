"""The model server of the benchmarks, asked by OpenAI's own client."""

import httpx
import openai
import pytest

from tests.bench.bench_scripts import load_module

MESSAGES = [{"role": "user", "content": "hi"}]


@pytest.fixture
def client():
    with (
        load_module("model_server").serve_model() as environ,
        openai.OpenAI(
            base_url=environ["OPENAI_BASE_URL"],
            api_key=environ["OPENAI_API_KEY"],
            max_retries=0,
            http_client=httpx.Client(trust_env=False),
        ) as client,
    ):
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
