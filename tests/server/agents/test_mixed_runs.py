"""Many runs of every kind at once: each has its own answer, and nothing stays behind."""

import asyncio
import json
from pathlib import Path

import httpx
import pytest

SOURCE = """
    import asyncio
    from tests.server.sample_agents import create_application

    async def tasks(text: str) -> str:
        return str(len(asyncio.all_tasks()))

    mastra = create_application({"tasks": tasks}, server={"logs": False})
"""
MAX_GROWTH = 20  # MB of resident memory after the first round
SHOP = "/api/agents/shop"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


async def generate(client, words, **options):
    answer = await client.post(f"{SHOP}/generate", json={"messages": words, **options})
    assert answer.status_code == 200, answer.text
    return answer.json()


def read_chunks(text):
    lines = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


async def stream(client, words, **options):
    answer = await client.post(f"{SHOP}/stream", json={"messages": words, **options})
    assert answer.status_code == 200, answer.text
    return read_chunks(answer.text)


async def run_text(client, number):
    answer = await generate(client, f"text {number}")
    assert answer["text"] == f"You said text {number}."


async def run_stream(client, number):
    chunks = await stream(client, f"stream {number}")
    deltas = [chunk["payload"]["text"] for chunk in chunks if chunk["type"] == "text-delta"]
    assert "".join(deltas) == f"You said stream {number}."
    assert chunks[-1]["type"] == "finish"


async def run_tool(client, _):
    assert (await generate(client, "work"))["text"] == "Then: ready"


async def run_failed_tool(client, _):
    chunks = await stream(client, "fail")
    assert "tool-error" in [chunk["type"] for chunk in chunks]
    assert chunks[-1]["payload"]["stepResult"]["reason"] == "stop"


async def run_subagent(client, _):
    assert (await generate(client, "delegate"))["text"].startswith("Then: ")


async def run_structured(client, number):
    answer = await generate(client, f"object {number}", structuredOutput={"schema": SCHEMA})
    assert answer["object"] == {"city": "Oslo"}


async def run_approval(client, number):
    """Suspend a run in a stream or a whole answer, and approve or decline it."""
    name = f"approval-{number}"
    if number % 2:
        chunks = await stream(client, "pay", runId=name)
        assert chunks[-1]["type"] == "tool-call-approval"
    else:
        assert (await generate(client, "pay", runId=name))["finishReason"] == "suspended"
    verb, words = ("approve", "paid 3") if number % 3 else ("decline", "was declined")
    answer = await client.post(
        f"{SHOP}/{verb}-tool-call-generate", json={"runId": name, "toolCallId": "pay-0"}
    )
    assert answer.status_code == 200, answer.text
    assert words in answer.json()["text"], answer.text


async def run_abort(client, number):
    """Cancel a run whose model needs 30 seconds, as the caller or by a disconnect."""
    name = f"abort-{number}"
    body = {"messages": "slow", "runId": name}
    async with client.stream("POST", f"{SHOP}/stream", json=body) as answer:
        lines = answer.aiter_lines()
        assert json.loads((await anext(lines)).removeprefix("data: "))["type"] == "start"
        if number % 2:
            return
        done = await client.post(f"{SHOP}/runs/{name}/cancel")
        assert done.status_code == 200, done.text
        rest = "\n".join([line async for line in lines])
    assert read_chunks(rest)[-1]["type"] == "abort"


KINDS = (
    run_text,
    run_stream,
    run_tool,
    run_failed_tool,
    run_subagent,
    run_structured,
    run_approval,
    run_abort,
)


async def run_all(client, start, count):
    """Run all at once; each run asserts that it has its own answer."""
    numbers = range(start, start + count)
    await asyncio.gather(
        *(KINDS[number % len(KINDS)](client, number // len(KINDS)) for number in numbers)
    )


async def count_tasks(client):
    answer = await client.post("/api/agents/tasks/generate", json={"messages": "x"})
    return int(answer.json()["text"])


async def wait_for_tasks(client, expected):
    """Wait until no more than the expected tasks are left; an abort takes two seconds."""
    for _ in range(100):
        if (found := await count_tasks(client)) <= expected:
            return
        await asyncio.sleep(0.1)
    pytest.fail(f"{found} tasks are left, instead of {expected}")


def read_memory(process):
    """Return the resident memory of a process in MB; None where there is no /proc."""
    status = Path(f"/proc/{process.pid}/status")
    if not status.exists():
        return None
    line = next(each for each in status.read_text().splitlines() if each.startswith("VmRSS:"))
    return int(line.split()[1]) / 1000


@pytest.mark.slow
@pytest.mark.parametrize(
    ("count", "rounds"), [(48, 2), pytest.param(1000, 3, marks=pytest.mark.full)]
)
def test_mixed_runs_at_once(process, count, rounds):
    server, port = process(SOURCE)
    limits = httpx.Limits(max_connections=count, max_keepalive_connections=0)
    options = {"trust_env": False, "timeout": 120, "limits": limits}

    async def run_rounds():
        memory = []
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", **options) as client:
            await generate(client, "hello")
            tasks = await count_tasks(client)
            for number in range(rounds):
                await run_all(client, number * count, count)
                await wait_for_tasks(client, tasks)
                memory.append(read_memory(server))
            suspended = await client.get(f"{SHOP}/suspended-runs")
            assert suspended.json()["total"] == 0
        return memory

    first, *_, last = asyncio.run(run_rounds())
    assert first is None or last - first < MAX_GROWTH, "the first round fills what has a limit"
    assert server.poll() is None
