"""Test OpenAI's Responses API with OpenAI's client."""

import openai
import pydantic
import pytest

from mastra_core import Mastra
from mastra_core.agents import AgentInput, FilePart
from tests.server.sample_agents import create_application, paid


class City(pydantic.BaseModel):
    city: str


@pytest.fixture(scope="module")
def shop(serve):
    with serve(create_application()) as server:
        yield server


@pytest.fixture
def client(shop, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with openai.OpenAI(base_url=f"{shop.url}/api/v1", api_key="none", max_retries=0) as made_:
        yield made_


def test_text(client):
    answer = client.responses.create(model="shop", input="hi", instructions="Be brief.")
    assert answer.output_text == "You said hi. Be brief."
    assert (answer.status, answer.model) == ("completed", "shop")
    assert answer.usage.total_tokens > 0
    assert client.responses.retrieve(answer.id).output_text == answer.output_text


def test_conversation(client):
    first = client.responses.create(model="shop", input="work")
    kinds = [item.type for item in first.output]
    assert kinds == ["function_call", "function_call_output", "message"]
    assert first.output_text == "Then: ready"
    again = client.responses.create(
        model="shop", previous_response_id=first.id,
        input=[{"role": "user", "content": [{"type": "input_text", "text": "hello"}]}],
    )  # fmt: skip
    assert again.output_text == "You said hello."


def test_stream(client):
    events = list(client.responses.create(model="shop", input="work", stream=True))
    kinds = [event.type for event in events]
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds[-1] == "response.completed"
    assert [event.sequence_number for event in events] == list(range(len(events)))
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert len(deltas) > 1
    assert "".join(deltas) == events[-1].response.output_text
    assert kinds.count("response.output_item.added") == kinds.count("response.output_item.done")


def test_stream_of_arguments(client):
    events = list(client.responses.create(model="shop", input="pay twice", stream=True))
    calls = [event.item.name for event in events if event.type == "response.output_item.added"]
    assert calls == ["pay", "pay"]
    prefix = "response.function_call_arguments."
    for index, text in enumerate(('{"amount":1}', '{"amount":2}')):
        own = [each for each in events if getattr(each, "output_index", None) == index]
        deltas = [each.delta for each in own if each.type == f"{prefix}delta"]
        assert (len(deltas), "".join(deltas)) == (2, text)
        assert [each.arguments for each in own if each.type == f"{prefix}done"] == [text]


@pytest.mark.parametrize("repeated", [True, False])
def test_client_functions(client, repeated):
    """The output of a function reaches the model, even if the functions are not sent again."""
    tools = [{"type": "function", "name": "locate", "parameters": {"type": "object"}}]
    first = client.responses.create(model="shop", input="locate", tools=tools)
    (call,) = first.output
    assert (call.type, call.name, call.arguments) == ("function_call", "locate", '{"fine":true}')
    output = {"type": "function_call_output", "call_id": call.call_id, "output": "Oslo"}
    done = client.responses.create(
        model="shop",
        previous_response_id=first.id,
        input=[output],
        tools=tools if repeated else [],
    )
    assert done.output_text == "Then: Oslo"


def test_structured_output(client):
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    text = {"format": {"type": "json_schema", "name": "x", "schema": schema}}
    for words in ("object", "object corrected"):  # the first, invalid answer is not shown
        answer = client.responses.create(model="shop", input=words, text=text)
        assert answer.output_text == '{"city":"Oslo"}'
        events = client.responses.create(model="shop", input=words, text=text, stream=True)
        deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
        assert "".join(deltas) == '{"city":"Oslo"}'
        parsed = client.responses.parse(model="shop", input=words, text_format=City)
        assert parsed.output_parsed == City(city="Oslo")


def test_suspended_run_is_incomplete(client, shop):
    paid.clear()
    answer = client.responses.create(model="shop", input="pay")
    assert answer.status == "incomplete"
    decision = {"runId": answer.id, "toolCallId": "pay-0"}
    done = shop.http.post("/api/agents/shop/approve-tool-call-generate", json=decision)
    assert done.json()["text"] == "Then: paid 3"


def test_invalid_requests(client, shop):
    with pytest.raises(openai.NotFoundError):
        client.responses.create(model="nobody", input="hi")
    with pytest.raises(openai.NotFoundError):
        client.responses.create(model="shop", input="hi", previous_response_id="resp_1")
    with pytest.raises(openai.BadRequestError):
        client.responses.create(model="shop", input=[{"type": "item_reference", "id": "x"}])
    with pytest.raises(openai.BadRequestError):
        client.responses.create(model="shop", input="hi", tools=[{"type": "web_search"}])
    for arguments in ("[" * 5000, "{", 5, [1]):
        call = {"type": "function_call", "call_id": "1", "name": "x", "arguments": arguments}
        with pytest.raises(openai.BadRequestError):
            client.responses.create(model="shop", input=[call])
    with pytest.raises(openai.APIStatusError) as caught:
        client.responses.create(model="greeter", input="hi")
    assert caught.value.status_code == 400
    assert "'name'" in caught.value.response.json()["error"]
    assert shop.http.post("/api/v1/responses", json={"input": "hi"}).status_code == 400


def test_delete(client):
    answer = client.responses.create(model="shop", input="hi")
    client.responses.delete(answer.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(answer.id)
    unkept = client.responses.create(model="shop", input="hi", store=False)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(unkept.id)


def test_file_keeps_its_name(serve):
    received = []

    async def read(input: AgentInput) -> str:
        received.extend(part for message in input.messages for part in message.parts)
        return "read"

    content = {
        "type": "input_file",
        "filename": "a.txt",
        "file_data": "data:text/plain;base64,aGk=",
    }
    body = {"agent_id": "read", "input": [{"role": "user", "content": [content]}]}
    with serve(Mastra(agents={"read": read}, logger=False)) as server:
        assert server.http.post("/api/v1/responses", json=body).status_code == 200
    assert received == [FilePart(media_type="text/plain", data=b"hi", name="a.txt")]
