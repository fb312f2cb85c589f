"""Run an agent with a memory on SQLite: what a run costs, in a short thread and in a long one.

python bench/memory.py            threads of 10 and of 10,000 messages
python bench/memory.py --quick    threads of 10 and of 1,000 messages, fewer runs
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from options import create_parser, write_json

from mastra_core import AgentInput, Memory, SqliteStorage
from mastra_core.agents import AgentLike, Message, TextPart, as_agent
from mastra_core.memory import AgentWithMemory
from mastra_core.storage import MessageQuery, StoredMessage, Thread

RUNS, ROUNDS = 300, 5
ADDED = 2  # messages that a run adds
LENGTHS = {"short": 10, "long": 10_000}
QUICK_RUNS, QUICK_ROUNDS = 20, 1
QUICK_LENGTHS = {"short": 10, "long": 1_000}


async def echo(text: str) -> str:
    return f"You said: {text}"


async def create_thread(storage: SqliteStorage, name: str, length: int) -> None:
    """Store a thread of ``length`` messages."""
    messages = [
        StoredMessage(
            id=f"{name}-{number}",
            thread=name,
            role="assistant" if number % 2 else "user",
            parts=(TextPart(text=f"message {number} of this thread, and some more words"),),
        )
        for number in range(length)
    ]
    await storage.threads.append(Thread(id=name, resource="bench"), messages)


async def measure_runs(agent: AgentLike, storage: SqliteStorage, thread: str, runs: int) -> float:
    """Run the agent ``runs`` times in sequence; return the microseconds of one run.

    After each run, its two messages are deleted outside of the measured time, so that the thread
    keeps its length.
    """
    hello = AgentInput(messages=(Message.user("Hello."),), thread=thread, resource="bench")
    seconds = 0.0
    for _ in range(runs):
        start = time.perf_counter()
        await agent.generate(hello)
        seconds += time.perf_counter() - start
        added = (await storage.threads.recall(thread, ADDED)).messages
        assert await storage.threads.delete_messages([each.id for each in added]) == ADDED
    return 1e6 * seconds / runs


async def measure(file: Path, lengths: dict[str, int], runs: int, rounds: int) -> dict[str, float]:
    """Return the best round of each length; a round measures every length."""
    storage = SqliteStorage(file)
    agent = AgentWithMemory(as_agent(echo), Memory(storage=storage))
    for name, length in lengths.items():
        await create_thread(storage, name, length)
        await measure_runs(agent, storage, name, runs)
    samples = [
        {name: await measure_runs(agent, storage, name, runs) for name in lengths}
        for _ in range(rounds)
    ]
    for name, length in lengths.items():
        page = await storage.threads.list_messages(MessageQuery(thread=name, per_page=1))
        assert page.total == length
    await storage.close()
    return {name: min(sample[name] for sample in samples) for name in lengths}


def main(arguments: Sequence[str]) -> None:
    parser = create_parser(
        "Run an agent with a memory on SQLite.", quick="a shorter thread, and fewer runs"
    )
    options = parser.parse_args(arguments)
    lengths = QUICK_LENGTHS if options.quick else LENGTHS
    runs, rounds = (QUICK_RUNS, QUICK_ROUNDS) if options.quick else (RUNS, ROUNDS)
    with tempfile.TemporaryDirectory() as directory:
        figures = asyncio.run(measure(Path(directory) / "bench.db", lengths, runs, rounds))
    for name, length in lengths.items():
        print(f"thread of {length:,}: {1e6 / figures[name]:,.0f} runs a second")
    write_json(options.json, figures)


if __name__ == "__main__":
    main(sys.argv[1:])
