"""The same agent, an id and two tools, made with each framework."""

from __future__ import annotations

import asyncio

paid: list[int] = []
# Each run has its own event loop, which a kept-alive connection would outlive.
CLOSE = {"default_headers": {"Connection": "close"}}


async def forecast(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


def build_openai_agents(url, **more):
    import agents
    import openai

    async def pay(amount: int) -> str:
        """Pay."""
        paid.append(amount)
        return f"paid {amount}"

    client = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0, **CLOSE)
    tools = [agents.function_tool(forecast), agents.function_tool(pay, needs_approval=True)]
    options = {"name": "helper", "instructions": "Help.", "tools": tools, **more}
    return agents.Agent(model=agents.OpenAIChatCompletionsModel("gpt-4o", client), **options)


def build_langgraph(url, checkpointer=None, **more):
    from langchain_core.tools import tool
    from langchain_openai import ChatOpenAI
    from langgraph.graph import END, START, MessagesState, StateGraph
    from langgraph.prebuilt import ToolNode
    from langgraph.types import interrupt

    async def pay(amount: int) -> str:
        """Pay."""
        if not interrupt({"amount": amount}):
            return "declined"
        paid.append(amount)
        return f"paid {amount}"

    tools = [tool(forecast), tool(pay)]
    model = ChatOpenAI(model="gpt-4o", base_url=f"{url}/v1", api_key="k", max_retries=0, **CLOSE)
    bound = model.bind_tools(tools)

    async def call_model(state: MessagesState):
        return {"messages": [await bound.ainvoke(state["messages"])]}

    builder = StateGraph(MessagesState)
    builder.add_node("model", call_model)
    builder.add_node("tools", ToolNode(tools))
    builder.add_edge(START, "model")
    builder.add_conditional_edges("model", _choose_next, {"tools": "tools", END: END})
    builder.add_edge("tools", "model")
    return builder.compile(checkpointer=checkpointer, name="helper", **more)


def _choose_next(state):
    return "tools" if state["messages"][-1].tool_calls else "__end__"


def build_pydantic_ai(url, **more):
    import openai
    import pydantic_ai
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    client = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0, **CLOSE)
    model = OpenAIChatModel("gpt-4o", provider=OpenAIProvider(openai_client=client))
    return pydantic_ai.Agent(model, name="helper", instructions="Help.", tools=[forecast], **more)


def build_built_in(url, **more):
    import mastra_core

    model = build_pydantic_ai(url).model
    options = {"name": "helper", "instructions": "Help.", "tools": [forecast], **more}
    return mastra_core.Agent(model=model, **options)


def run(coroutine):
    """Run a coroutine, and check that it leaves no task behind."""

    async def run_and_check():
        result = await coroutine
        for _ in range(20):
            if len(asyncio.all_tasks()) == 1:
                break
            await asyncio.sleep(0.05)
        assert len(asyncio.all_tasks()) == 1, asyncio.all_tasks()
        return result

    return asyncio.run(run_and_check())


def list_bodies(url, text):
    """What the model was asked when the last text of the user were ``text``."""
    from tests.aimock import list_requests

    entries = [entry["body"] for entry in list_requests(url, text)]
    return [body for body in entries if _get_last_text(body) == text]


def list_conversations(url, text):
    """List the conversations that ended with the user message ``text``."""
    return [body["messages"] for body in list_bodies(url, text)]


def _get_last_text(body):
    return [each["content"] for each in body["messages"] if each["role"] == "user"][-1]


def build_conversation(first, answer, last):
    """Build an input with an earlier turn that called a tool."""
    from mastra_core import AgentInput
    from mastra_core.agents import Message, TextPart, ToolCallPart, ToolResultPart

    call = ToolCallPart(id="c9", name="forecast", arguments={"city": "Rome"})
    result = ToolResultPart(id="c9", name="forecast", result="sunny in Rome")
    return AgentInput(
        messages=(
            Message.user(first),
            Message(role="assistant", parts=(call,)),
            Message(role="tool", parts=(result,)),
            Message(role="assistant", parts=(TextPart(text=answer),)),
            Message.user(last),
        )
    )
