"""Runs with a memory on SQLite: what one costs, in a short thread and in a long one.

python bench/memory.py [FILE]     prints the figures, or writes them to FILE as JSON
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path

from mastra_core import AgentInput, Memory, SqliteStorage
from mastra_core.agents import AgentLike, Message, TextPart, as_agent
from mastra_core.memory import RememberingAgent
from mastra_core.storage import StoredMessage, Thread

RUNS = 300
ROUNDS = 5
LENGTHS = {"short": 10, "long": 10_000}


async def echo(text: str) -> str:
    return f"You said: {text}"


async def filled(storage: SqliteStorage, name: str, length: int) -> None:
    """A thread of ``length`` messages."""
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


async def several(agent: AgentLike, thread: str) -> float:
    """Microseconds that one run takes, one after the other."""
    wish = AgentInput(messages=(Message.user("Hello."),), thread=thread, resource="bench")
    begun = time.perf_counter()
    for _ in range(RUNS):
        await agent.generate(wish)
    return 1e6 * (time.perf_counter() - begun) / RUNS


async def measure(file: Path) -> dict[str, float]:
    """The best of some rounds for each length; the rounds take turns."""
    storage = SqliteStorage(file)
    agent = RememberingAgent(as_agent(echo), Memory(storage=storage))
    for name, length in LENGTHS.items():
        await filled(storage, name, length)
        await several(agent, name)
    rounds = [{name: await several(agent, name) for name in LENGTHS} for _ in range(ROUNDS)]
    await storage.close()
    return {name: min(each[name] for each in rounds) for name in LENGTHS}


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        figures = asyncio.run(measure(Path(directory) / "bench.db"))
    if sys.argv[1:]:
        Path(sys.argv[1]).write_text(json.dumps(figures), encoding="ascii")
        return
    for name, length in LENGTHS.items():
        print(f"thread of {length:,}: {1e6 / figures[name]:,.0f} runs a second")


if __name__ == "__main__":
    main()
