"""Agents: async functions, async generators, or Agent objects with a model."""

from collections.abc import AsyncIterator


async def greeter(name: str) -> AsyncIterator[str]:
    """Greet the user without a model. To use a model, replace this function with an Agent:

    Agent(name="greeter", instructions="Greet the user.", model="openai:gpt-5")
    (and add "mastra-core[agents]" and "pydantic-ai-slim[openai]" to the dependencies)
    """
    yield "Hello, "
    yield f"{name}!"
