"""An agent is an async function or generator, an Agent with a model, or another framework's."""

from collections.abc import AsyncIterator


async def greeter(name: str) -> AsyncIterator[str]:
    """Greets the user. It needs no model; to use one, replace it with an Agent:

    Agent(name="greeter", instructions="Greet the user.", model="openai:gpt-5")
    (and add "mastra-core[agents]" and "pydantic-ai-slim[openai]" to the dependencies)
    """
    yield "Hello, "
    yield f"{name}!"
