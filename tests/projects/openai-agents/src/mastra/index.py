from agents import Agent, ModelResponse, Runner, Usage, function_tool, set_tracing_disabled
from agents.models.interface import Model
from openai.types.responses import (
    ResponseFunctionToolCall,
    ResponseOutputMessage,
    ResponseOutputText,
)

from mastra_core import Mastra

set_tracing_disabled(True)


class Scripted(Model):
    """A model in the process: it calls the tool once, then says what came of it."""

    async def get_response(self, system_instructions, input, *rest, **more):
        results = (
            [item for item in input if item.get("type") == "function_call_output"]
            if isinstance(input, list)
            else []
        )
        if results:
            text = ResponseOutputText(
                text=f"it is {results[-1]['output']}", type="output_text", annotations=[]
            )
            output = ResponseOutputMessage(
                id="m", content=[text], role="assistant", status="completed", type="message"
            )
        else:
            output = ResponseFunctionToolCall(
                name="weather", arguments='{"city": "Rome"}', call_id="c", type="function_call"
            )
        return ModelResponse(output=[output], usage=Usage(), response_id=None)

    def stream_response(self, *args, **kwargs):
        raise NotImplementedError


@function_tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


crew = Agent(name="crew", instructions="Help.", tools=[weather], model=Scripted())


async def ask(text: str) -> str:
    return (await Runner.run(crew, text)).final_output


mastra = Mastra(agents={"crew": ask}, logger=False)
