"""Test the Responses API with agents that yield events in other orders than a model's agent."""

import openai
import pytest

from mastra_core import Mastra, Server
from mastra_core.agents import (
    Failure,
    Finish,
    Start,
    StepFinish,
    TextDelta,
    ToolCall,
    ToolInputDelta,
    ToolInputStart,
    ToolResult,
)
from tests.server.sample_app import BrokenAgent, EchoAgent

CALL = {"id": "c1", "name": "add", "arguments": {"a": 1}}


class TextBetweenAgent(EchoAgent):
    """Writes text between a call and the call's result."""

    id = "text-between"

    async def stream(self, input):
        yield Start()
        yield ToolCall(**CALL)
        yield TextDelta(text="Let me see. ")
        yield ToolResult(**CALL, result=3)
        yield TextDelta(text="It is 3.")
        yield StepFinish()
        yield Finish()


class UnstartedCallAgent(EchoAgent):
    """Streams the arguments of a call without announcing the call."""

    id = "unstarted-call"

    async def stream(self, input):
        yield Start()
        yield TextDelta(text="Wait.")
        yield ToolInputDelta(id="c1", name="add", text='{"a":1}')
        yield ToolCall(**CALL)
        yield Finish(reason="tool-calls")


class CutOffCallAgent(EchoAgent):
    """Is cut off while the model writes the arguments of a call."""

    id = "cut-off-call"

    async def stream(self, input):
        yield Start()
        yield ToolInputStart(id="c1", name="add")
        yield ToolInputDelta(id="c1", name="add", text='{"a":')
        if input.messages[-1].text == "fail":
            yield Failure(message="The model is down.", kind="ModelError", status=502)
        yield Finish(reason="length")


class FailingAgent(EchoAgent):
    """Reports the end of a run after its failure."""

    id = "failing"

    async def stream(self, input):
        yield Start()
        yield TextDelta(text="one ")
        yield Failure(message="The model is down.", kind="ModelError", status=502)
        yield Finish(reason="error")


class UnfinishedAgent(EchoAgent):
    """Ends without a ``Finish``."""

    id = "unfinished"

    async def stream(self, input):
        yield Start()
        yield TextDelta(text="one")


@pytest.fixture(scope="module")
def server(serve):
    kinds = (
        TextBetweenAgent,
        UnstartedCallAgent,
        CutOffCallAgent,
        FailingAgent,
        UnfinishedAgent,
        BrokenAgent,
    )
    agents = {kind.id: kind() for kind in kinds}
    with serve(Mastra(agents=agents, server=Server(traces=True), logger=False)) as running:
        yield running


@pytest.fixture
def client(server, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with openai.OpenAI(base_url=f"{server.url}/api/v1", api_key="none", max_retries=0) as opened:
        yield opened


def stream(client, agent):
    events = list(client.responses.create(model=agent, input="x", stream=True))
    assert [each.sequence_number for each in events] == list(range(len(events)))
    return events


def read_texts(events):
    """Return the text of each item by its place, as a client builds it from the deltas."""
    texts = {}
    for each in events:
        if each.type == "response.output_text.delta":
            texts[each.output_index] = texts.get(each.output_index, "") + each.delta
    return texts


def test_text_between_a_call_and_its_result(client):
    events = stream(client, "text-between")
    output = events[-1].response.output
    kinds = [item.type for item in output]
    assert kinds == ["function_call", "message", "function_call_output", "message"]
    assert read_texts(events) == {1: "Let me see. ", 3: "It is 3."}
    assert [item.content[0].text for item in output if item.type == "message"] == [
        "Let me see. ",
        "It is 3.",
    ]
    added = {each.item.id for each in events if each.type == "response.output_item.added"}
    done = [each.item.id for each in events if each.type == "response.output_item.done"]
    assert (len(done), set(done)) == (4, added)


def test_arguments_of_a_call_that_was_not_announced(client):
    events = stream(client, "unstarted-call")
    message, call = events[-1].response.output
    assert message.content[0].text == "Wait."
    assert (call.name, call.arguments) == ("add", '{"a":1}')


@pytest.mark.parametrize(("text", "end"), [("x", "incomplete"), ("fail", "failed")])
def test_call_that_is_cut_off_is_incomplete(client, text, end):
    events = list(client.responses.create(model="cut-off-call", input=text, stream=True))
    kinds = [each.type for each in events]
    assert kinds[-2:] == ["response.output_item.done", f"response.{end}"]
    (call,) = events[-1].response.output
    assert (call.status, call.arguments) == ("incomplete", '{"a":')
    assert events[-2].item == call


def test_failure_is_the_last_event(client):
    events = stream(client, "failing")
    ends = [each.type for each in events if hasattr(each, "response")]
    assert ends == ["response.created", "response.in_progress", "response.failed"]
    response = events[-1].response
    assert (response.status, response.error.message) == ("failed", "The model is down.")
    assert response.output[0].content[0].text == "one "
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(response.id)


def test_exception_is_a_failed_response(client, server):
    events = stream(client, "broken-agent")
    assert events[-1].type == "response.failed"
    assert events[-1].response.error.message == "Internal Server Error"
    body = {"agent_id": "broken-agent", "input": "x"}
    answer = server.http.post("/api/v1/responses", json=body)
    assert (answer.status_code, answer.json()) == (500, {"error": "Internal Server Error"})


def test_run_without_a_finish_is_completed(client):
    answer = client.responses.create(model="unfinished", input="x")
    assert (answer.status, answer.output_text) == ("completed", "one")
    assert stream(client, "unfinished")[-1].type == "response.completed"
    assert client.responses.retrieve(answer.id).output_text == "one"


def test_run_has_a_span(client, server):
    client.responses.create(model="unfinished", input="x")
    body = {"agent_id": "failing", "input": "y"}
    assert server.http.post("/api/v1/responses", json=body).status_code == 502
    failed, done = server.http.get("/api/observability/traces").json()["spans"][:2]
    assert (failed["entityId"], failed["status"]) == ("failing", "error")
    assert (done["entityId"], done["status"]) == ("unfinished", "success")
    assert done["input"] == [{"role": "user", "content": "x"}]
    assert done["output"]["text"] == "one"
