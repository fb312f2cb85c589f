"""An agent without a model, which looks up the climate of the city in a question."""

from collections.abc import AsyncIterator

from mastra_core.agents import AgentEvent, AgentInput, StepFinish, TextDelta, ToolCall, ToolResult

from .tools import CLIMATE, forecast


async def weather(question: AgentInput) -> AsyncIterator[AgentEvent]:
    """Answer what the weather in a city is usually like."""
    words = question.prompt.lower().replace("?", " ").split()
    city = next((word for word in words if word in CLIMATE), words[-1] if words else "oslo")
    arguments = {"city": city.title()}
    yield ToolCall(id="call-1", name="forecast", arguments=arguments)
    found = await forecast.execute(arguments)
    yield ToolResult(id="call-1", name="forecast", arguments=arguments, result=found)
    yield StepFinish(reason="tool-calls", continued=True)
    for piece in (f"{found['city']}: ", f"{found['celsius']} degrees, ", _rain(found["rain"])):
        yield TextDelta(text=piece)


def _rain(share: float) -> str:
    return "take an umbrella." if share > 0.3 else "no umbrella needed."
