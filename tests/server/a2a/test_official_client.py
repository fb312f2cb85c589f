"""Test A2A with the official client, in both versions of the protocol."""

import asyncio

import pytest
from a2a.types import (
    CancelTaskRequest,
    GetTaskRequest,
    ListTasksRequest,
    Role,
    SubscribeToTaskRequest,
    TaskState,
)
from a2a.utils.errors import TaskNotCancelableError, TaskNotFoundError

from mastra_core import Memory
from tests.server.a2a.official_client import build_message, connect, get_text, send
from tests.server.sample_agents import create_application, paid


@pytest.fixture(scope="module")
def shop(serve):
    with serve(create_application(memory=Memory())) as server:
        yield server


@pytest.mark.parametrize("version", ["1.0", "0.3"])
def test_stream(shop, version):
    async def talk():
        async with connect(shop.url, version=version) as (card, client):
            assert (card.name, card.capabilities.streaming) == ("shop", True)
            assert {skill.id for skill in card.skills} == {"pay", "ask", "work", "fail"}
            return await send(client, "hello my friend")

    first, *artifacts, last = asyncio.run(talk())
    assert first.task.status.state == TaskState.TASK_STATE_WORKING
    assert last.status_update.status.state == TaskState.TASK_STATE_COMPLETED
    updates = [event.artifact_update for event in artifacts]
    assert "".join(get_text(each.artifact) for each in updates) == "You said hello my friend."
    assert len(updates) > 1, "the text is not streamed"
    assert [each.append for each in updates] == [False] + [True] * (len(updates) - 1)
    assert [each.last_chunk for each in updates] == [False] * (len(updates) - 1) + [True]


@pytest.mark.parametrize("version", ["1.0", "0.3"])
def test_send_and_get(shop, version):
    async def talk():
        async with connect(shop.url, version=version, streaming=False) as (_, client):
            (event,) = await send(client, "work", context_id=f"context-{version}")
            found = await client.get_task(GetTaskRequest(id=event.task.id))
            with pytest.raises(TaskNotFoundError):
                await client.get_task(GetTaskRequest(id="none"))
            with pytest.raises(TaskNotCancelableError):
                await client.cancel_task(CancelTaskRequest(id=event.task.id))
            return event.task, found

    task, found = asyncio.run(talk())
    assert task.status.state == TaskState.TASK_STATE_COMPLETED
    assert [get_text(each) for each in task.artifacts] == ["Then: ready"]
    assert found.artifacts == task.artifacts
    execution = found.metadata["execution"]
    assert execution["toolResults"][0]["payload"]["result"] == "ready"
    thread = shop.http.get(f"/api/memory/threads/context-{version}/messages?agentId=shop").json()
    assert [each["role"] for each in thread["messages"]] == ["user", "assistant"]


def test_list(shop):
    async def talk():
        async with connect(shop.url, streaming=False) as (_, client):
            sent = [await send(client, "hello", context_id="listed") for _ in range(3)]
            request = ListTasksRequest(context_id="listed", page_size=2)
            first = await client.list_tasks(request)
            request.page_token = first.next_page_token
            return [event.task.id for (event,) in sent], first, await client.list_tasks(request)

    ids, first, second = asyncio.run(talk())
    assert [task.id for task in (*first.tasks, *second.tasks)] == ids[::-1]  # the newest first
    assert (first.total_size, second.next_page_token) == (3, "")
    assert not first.tasks[0].artifacts


@pytest.mark.parametrize("version", ["1.0", "0.3"])
@pytest.mark.parametrize(("answer", "result"), [("yes", "Then: paid 3"), ("Rather not.", "Then: ")])
def test_approval(shop, version, answer, result):
    paid.clear()

    async def talk():
        async with connect(shop.url, version=version) as (_, client):
            last = (await send(client, "pay"))[-1].status_update
            return last, await send(client, answer, task_id=last.task_id)

    asked, (first, *updates, last) = asyncio.run(talk())
    assert first.task.status.state == TaskState.TASK_STATE_WORKING
    assert asked.status.state == TaskState.TASK_STATE_INPUT_REQUIRED
    assert asked.status.message.parts[1].data.struct_value["suspendPayload"]["toolName"] == "pay"
    assert last.status_update.status.state == TaskState.TASK_STATE_COMPLETED
    texts = [get_text(update.artifact_update.artifact) for update in updates]
    assert "".join(texts).startswith(result)
    assert paid == ([3] if answer == "yes" else [])


def test_data_for_a_tool_that_waits(shop):
    async def talk():
        async with connect(shop.url, streaming=False) as (_, client):
            (event,) = await send(client, "ask")
            (done,) = await send(client, '{"answer": "now"}', task_id=event.task.id)
            return done.task

    task = asyncio.run(talk())
    assert get_text(task.artifacts[0]) == "Then: answered now"
    assert [message.role for message in task.history] == [Role.ROLE_USER] * 2


def test_cancel_and_follow(shop):
    """A second reader follows the task, and cancelling it stops the run."""

    async def follow(client, task_id):
        request = SubscribeToTaskRequest(id=task_id)
        return [event async for event in client.subscribe(request)]

    async def talk():
        async with connect(shop.url) as (_, client), connect(shop.url) as (_, other):
            events = client.send_message(build_message("slow"))
            first = await anext(events)
            follower = asyncio.create_task(follow(other, first.task.id))
            await asyncio.sleep(0.2)
            task = await other.cancel_task(CancelTaskRequest(id=first.task.id))
            return task, [event async for event in events], await follower

    task, rest, followed = asyncio.run(talk())
    assert task.status.state == TaskState.TASK_STATE_CANCELED
    assert rest[-1].status_update.status.state == TaskState.TASK_STATE_CANCELED
    assert followed[0].task.status.state == TaskState.TASK_STATE_WORKING
    assert followed[-1].status_update.status.state == TaskState.TASK_STATE_CANCELED
