"""Requests to one server with durable agents: disconnects, reconnects, decisions and cancels."""

import asyncio
import contextlib
import threading
import time

import httpx
import openai
import pytest
from pydantic_ai.models.function import DeltaToolCall, FunctionModel

from mastra_core import Agent, DurableEngine
from mastra_core.errors import NotFound
from mastra_core.workflows.durable.store.sql_run_store import SqlRunStore
from tests.server.agents.durable.conftest import read_chunks
from tests.server.sample_agents import create_application, paid

SHOP = "/api/agents/shop"
ABORT = {"x-mastra-abort-on-disconnect": "true"}
CANCELED = "The run was canceled."
PAY = {"toolCallId": "pay-0"}


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    return tmp_path_factory.mktemp("requests") / "app.db"


@pytest.fixture(scope="module")
def shop(serve, database):
    agents = {"guide": Agent(name="guide", model=FunctionModel(stream_function=locate))}
    engine = DurableEngine(f"sqlite:///{database}")
    with serve(create_application(agents, engine=engine)) as server:
        yield server


async def locate(messages, info):
    """Call the function of the caller; then name the kinds of all parts of the conversation."""
    kinds = [part.part_kind for message in messages for part in message.parts]
    if kinds[-1] == "tool-return":
        yield " ".join(kinds)
    else:
        yield {0: DeltaToolCall(name="locate", json_args="{}", tool_call_id="c1")}


def build_body(words, run_id, resource="ann"):
    memory = {"thread": f"thread of {resource}", "resource": resource}
    return {"messages": words, "runId": run_id, "memory": memory}


def post(server, path, body, **headers):
    answer = server.http.post(f"{SHOP}/{path}", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer


def suspend(server, run_id, resource="ann"):
    answer = post(server, "generate", build_body("pay", run_id, resource))
    assert answer.json()["finishReason"] == "suspended"


def list_waiting(server, run_id):
    runs = server.http.get(f"{SHOP}/suspended-runs").json()["runs"]
    return [run["resourceId"] for run in runs if run["runId"] == run_id]


def read_status(server, database, run_id):
    """Return the status of a run of ann as another process reads it; empty without such a run."""

    async def find_status():
        engine = DurableEngine(f"sqlite:///{database}")
        try:
            agent = server.app.state.mastra.get_agent("shop")
            return (await engine.get(agent.workflow, run_id, "ann")).record.status
        except NotFound:
            return ""
        finally:
            await engine.close()

    return asyncio.run(find_status())


def list_types(answer):
    return [chunk["type"] for chunk in read_chunks(answer.text)]


def get_text(answer):
    chunks = read_chunks(answer.text)
    return "".join(each["payload"]["text"] for each in chunks if each["type"] == "text-delta")


def list_errors(answer):
    chunks = read_chunks(answer.text)
    return [each["payload"]["error"]["message"] for each in chunks if each["type"] == "error"]


def observe(server, run_id):
    return post(server, "observe", {"runId": run_id})


@contextlib.contextmanager
def drain(server):
    server.app.state.draining = True
    try:
        yield
    finally:
        server.app.state.draining = False


def start_thread(function, *arguments):
    results = []
    thread = threading.Thread(target=lambda: results.append(function(*arguments)), daemon=True)
    thread.start()
    return thread, results


def test_the_end_of_a_suspended_stream_is_no_disconnect(shop):
    answer = post(shop, "stream", build_body("pay", "waits"), **ABORT)
    assert list_types(answer)[-1] == "tool-call-approval"
    assert list_waiting(shop, "waits") == ["ann"]
    approved = post(shop, "approve-tool-call", {"runId": "waits", **PAY}, **ABORT)
    assert get_text(approved) == "Then: paid 3"


@pytest.mark.parametrize(
    "data",
    [{"approved": True}, {"decisions": {"pay-0": {"approved": True, "arguments": {"amount": 9}}}}],
)
def test_a_decision_needs_the_routes_of_the_agent(shop, data):
    run_id = "refused-approved" if "approved" in data else "refused-arguments"
    suspend(shop, run_id)
    body = {"runId": run_id, "data": data}
    answer = shop.http.post("/api/workflow-runs/resume", json=body)
    assert answer.status_code == 409
    assert list_waiting(shop, run_id) == ["ann"]
    approved = post(shop, "approve-tool-call", {"runId": run_id, **PAY})
    assert get_text(approved) == "Then: paid 3"


def test_a_server_that_stops_does_not_abort_the_runs_of_its_readers(shop, database):
    body = build_body("slow", "drained")
    with shop.http.stream("POST", f"{SHOP}/stream", json=body, headers=ABORT) as answer:
        lines = answer.iter_lines()
        assert '"start"' in next(lines)
        with drain(shop):
            assert "data: [DONE]" not in [*lines]
            time.sleep(0.2)  # an abort would be stored
    assert read_status(shop, database, "drained") == "running"
    post(shop, "runs/drained/cancel", {})
    assert read_status(shop, database, "drained") == "canceled"


def test_a_disconnect_aborts_a_run_on_demand(shop):
    body = build_body("slow", "left")
    with shop.http.stream("POST", f"{SHOP}/stream", json=body, headers=ABORT) as answer:
        assert '"start"' in next(answer.iter_lines())
    assert list_errors(observe(shop, "left")) == [CANCELED]
    with shop.http.stream("POST", f"{SHOP}/stream", json=build_body("slow one", "kept")) as answer:
        assert '"start"' in next(answer.iter_lines())
    assert get_text(observe(shop, "kept")) == "You said slow one."


def test_functions_of_the_caller_in_responses(shop, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    tools = [{"type": "function", "name": "locate", "parameters": {"type": "object"}}]
    given = {"model": "guide", "tools": tools}
    with openai.OpenAI(base_url=f"{shop.url}/api/v1", api_key="none", max_retries=0) as client:
        first = client.responses.create(input="Where am I?", **given)
        (call,) = first.output
        output = {"type": "function_call_output", "call_id": call.call_id, "output": "Oslo"}
        done = client.responses.create(input=[output], previous_response_id=first.id, **given)
    assert done.output_text == "user-prompt tool-call tool-return"


def test_a_decision_names_the_resource_if_two_have_the_id(shop):
    paid.clear()
    suspend(shop, "shared", "ann")
    suspend(shop, "shared", "bob")
    decision = {"runId": "shared", **PAY}
    refused = shop.http.post(f"{SHOP}/approve-tool-call", json=decision)
    assert refused.status_code == 409, refused.text
    assert (sorted(list_waiting(shop, "shared")), paid) == (["ann", "bob"], [])
    approved = post(shop, "approve-tool-call", {**decision, "resourceId": "bob"})
    assert get_text(approved) == "Then: paid 3"
    assert (list_waiting(shop, "shared"), paid) == (["ann"], [3])
    assert get_text(post(shop, "approve-tool-call", decision)) == "Then: paid 3"


def test_an_observer_names_the_resource_if_two_have_the_id(shop):
    for resource in ("ann", "bob"):
        post(shop, "generate", build_body(f"I am {resource}", "twice", resource))
    refused = shop.http.post(f"{SHOP}/observe", json={"runId": "twice"})
    assert refused.status_code == 409, refused.text
    for resource in ("ann", "bob"):
        answer = post(shop, "observe", {"runId": "twice", "resourceId": resource})
        assert get_text(answer) == f"You said I am {resource}."
    unknown = shop.http.post(f"{SHOP}/observe", json={"runId": "twice", "resourceId": "eve"})
    assert unknown.status_code == 404
    post(shop, "generate", {"messages": "hello", "runId": "twice"})
    assert get_text(observe(shop, "twice")) == "You said hello."


def test_a_cancel_names_the_resource_if_two_have_the_id(shop):
    suspend(shop, "two", "ann")
    suspend(shop, "two", "bob")
    path = f"{SHOP}/runs/two/cancel"
    assert shop.http.post(path).status_code == 409
    assert shop.http.post(path, params={"resourceId": "eve"}).status_code == 404
    assert shop.http.post(path, params={"resourceId": "bob"}).status_code == 200
    assert list_waiting(shop, "two") == ["ann"]


def test_a_cancel_names_the_resource_although_one_run_is_read(shop):
    suspend(shop, "seen", "bob")
    running = shop.http.stream("POST", f"{SHOP}/stream", json=build_body("slow one", "seen"))
    with running as answer:
        assert '"start"' in next(answer.iter_lines())
        assert shop.http.post(f"{SHOP}/runs/seen/cancel").status_code == 409
        assert shop.http.post(f"{SHOP}/observe", json={"runId": "seen"}).status_code == 409
        own = post(shop, "observe", {"runId": "seen", "resourceId": "ann"})
    assert get_text(own) == "You said slow one."


def test_a_reconnect_reads_the_run_of_its_resource(shop):
    for resource in ("ann", "bob"):
        post(shop, "generate", build_body(f"I am {resource}", "same", resource))
    for resource in ("bob", "ann"):
        body = build_body(f"I am {resource}", "same", resource)
        answer = post(shop, "stream", body, **{"last-event-id": "same/0"})
        assert get_text(answer) == f"You said I am {resource}."
    headers = {"last-event-id": "same/0"}
    body = build_body("I am eve", "same", "eve")
    assert shop.http.post(f"{SHOP}/stream", json=body, headers=headers).status_code == 404


def test_a_reconnect_reads_no_running_run_of_another_resource(shop):
    headers, body = {"last-event-id": "busy/0"}, build_body("I am bob", "busy", "bob")
    post(shop, "generate", body)
    running = shop.http.stream("POST", f"{SHOP}/stream", json=build_body("slow one", "busy"))
    with running as answer:
        assert '"start"' in next(answer.iter_lines())
        refused = shop.http.post(f"{SHOP}/stream", json=body, headers=headers)
        own = post(shop, "stream", build_body("slow one", "busy"), **headers)
    assert refused.status_code == 409
    assert get_text(own) == "You said slow one."
    assert get_text(post(shop, "stream", body, **headers)) == "You said I am bob."


def test_a_run_has_no_frames_of_another_resource(shop):
    post(shop, "stream", build_body("I am bob", "again", "bob"))
    answer = post(shop, "stream", build_body("hello", "again"))
    count = len(list_types(answer))
    assert f"id: again/{count}\n" in answer.text
    headers = {"last-event-id": "again/0"}
    for resource, text in (("ann", "You said hello."), ("bob", "You said I am bob.")):
        body = build_body("x", "again", resource)
        assert get_text(post(shop, "stream", body, **headers)) == text


def test_a_repeated_decision_reads_the_run_of_its_resource(shop):
    for resource in ("ann", "bob"):
        suspend(shop, "both", resource)
    decision, headers = {"runId": "both", **PAY}, {"last-event-id": "both/0"}
    post(shop, "approve-tool-call", {**decision, "resourceId": "bob"})
    for resource, text in (("ann", ""), ("bob", "Then: paid 3")):
        body = {**decision, "resourceId": resource}
        assert get_text(post(shop, "approve-tool-call", body, **headers)) == text


def test_a_repeated_answer_reads_the_run_of_its_resource(shop):
    for resource in ("ann", "bob"):
        post(shop, "generate", build_body(f"I am {resource}", "asked", resource))
    headers = {"last-event-id": "asked/0"}
    for path in ("resume-stream", "resume-stream-until-idle"):
        for resource in ("ann", "bob"):
            body = {"runId": "asked", "toolCallId": "c", "resumeData": {}, "resourceId": resource}
            assert get_text(post(shop, path, body, **headers)) == f"You said I am {resource}."


def test_a_repeated_decision_reads_on(shop):
    body = build_body("pay", "decided")
    count = len(list_types(post(shop, "stream", body)))
    decision = {"runId": "decided", **PAY}
    first = post(shop, "approve-tool-call", decision)
    paid.clear()
    again = post(shop, "approve-tool-call", decision, **{"last-event-id": f"decided/{count}"})
    assert list_types(again) == list_types(first)
    assert get_text(again) == "Then: paid 3"
    assert shop.http.post(f"{SHOP}/approve-tool-call", json=decision).status_code == 404
    assert paid == []


def test_readers_at_once_share_a_run(shop, serve, database):
    async def read_at_once(url):
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=20) as client:
            requests = [client.post(f"{SHOP}/observe", json={"runId": "read"}) for _ in range(3)]
            return await asyncio.gather(*requests)

    idle = DurableEngine(f"sqlite:///{database}", max_concurrency=0)
    running = shop.http.stream("POST", f"{SHOP}/stream", json=build_body("slow one", "read"))
    with serve(create_application(engine=idle)) as other, running as answer:
        assert '"start"' in next(answer.iter_lines())
        answers = asyncio.run(read_at_once(other.url))
    assert [answer.status_code for answer in answers] == [200] * 3
    assert {get_text(answer) for answer in answers} == {"You said slow one."}


@pytest.mark.parametrize("is_stored", [False, True])
def test_a_run_is_canceled_before_it_is_started(shop, database, monkeypatch, is_stored):
    create, is_called, run_id = SqlRunStore.create, threading.Event(), f"early-{is_stored}"

    async def create_slowly(*arguments):
        created = await create(*arguments) if is_stored else None
        is_called.set()
        await asyncio.sleep(0.3)
        return created or await create(*arguments)

    monkeypatch.setattr(SqlRunStore, "create", create_slowly)
    stream, streams = start_thread(post, shop, "stream", build_body("slow", run_id))
    assert is_called.wait(20)
    answer = post(shop, f"runs/{run_id}/cancel", {})
    stream.join(20)
    assert answer.json() == {"message": "Agent run cancelled"}
    assert list_types(streams[0])[-1] in ("abort", "finish")
    assert read_status(shop, database, run_id) == ("canceled" if is_stored else "")


def test_a_run_that_never_started_is_canceled(shop, database):
    async def create_run():
        engine = DurableEngine(f"sqlite:///{database}")
        agent = shop.app.state.mastra.get_agent("shop")
        await engine.create(agent.workflow, "created", "ann")
        await engine.close()

    asyncio.run(create_run())
    answer = post(shop, "runs/created/cancel", {})
    assert answer.json() == {"message": "Agent run cancelled"}


def test_a_stream_with_a_used_id_has_an_error(shop):
    body = build_body("hello", "used")
    assert get_text(post(shop, "stream", body)) == "You said hello."
    assert shop.http.post(f"{SHOP}/generate", json=body).status_code == 409
    assert list_errors(post(shop, "stream", body)) == ["The run 'used' was started before."]
