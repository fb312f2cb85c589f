"""Agents: async functions, async generators, or Agent objects with a model."""

from collections.abc import AsyncIterator


# To use a model, add "mastra-core[agents]" and "pydantic-ai-slim[openai]" to the dependencies, and
# replace this function with an Agent:
# greeter = Agent(name="greeter", instructions="Greet the user.", model="openai:gpt-5")
async def greeter(name: str) -> AsyncIterator[str]:
    """Greet the user by name."""
    yield "Hello, "
    yield f"{name}!"
