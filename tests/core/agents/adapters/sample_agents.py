"""The same agent, an id and two tools, made with each framework."""

from __future__ import annotations

import asyncio

paid: list[int] = []
# Each run has an event loop of its own, which a kept connection would outlive.
CLOSE = {"default_headers": {"Connection": "close"}}


async def forecast(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


def openai_agents(url, **more):
    import agents
    import openai

    async def pay(amount: int) -> str:
        """Pay."""
        paid.append(amount)
        return f"paid {amount}"

    client = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0, **CLOSE)
    tools = [agents.function_tool(forecast), agents.function_tool(pay, needs_approval=True)]
    given = {"name": "helper", "instructions": "Help.", "tools": tools, **more}
    return agents.Agent(model=agents.OpenAIChatCompletionsModel("gpt-4o", client), **given)


def langgraph(url, checkpointer=None, **more):
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

    async def think(state: MessagesState):
        return {"messages": [await bound.ainvoke(state["messages"])]}

    builder = StateGraph(MessagesState)
    builder.add_node("model", think)
    builder.add_node("tools", ToolNode(tools))
    builder.add_edge(START, "model")
    builder.add_conditional_edges("model", _next, {"tools": "tools", END: END})
    builder.add_edge("tools", "model")
    return builder.compile(checkpointer=checkpointer, name="helper", **more)


def _next(state):
    return "tools" if state["messages"][-1].tool_calls else "__end__"


def pydantic_ai(url, **more):
    import openai
    import pydantic_ai
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    client = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0, **CLOSE)
    model = OpenAIChatModel("gpt-4o", provider=OpenAIProvider(openai_client=client))
    return pydantic_ai.Agent(model, name="helper", instructions="Help.", tools=[forecast], **more)


def built_in(url, **more):
    import mastra_core

    model = pydantic_ai(url).model
    given = {"name": "helper", "instructions": "Help.", "tools": [forecast], **more}
    return mastra_core.Agent(model=model, **given)


def run(coroutine):
    """Run it, and see that it leaves no task behind."""

    async def watched():
        result = await coroutine
        for _ in range(20):
            if len(asyncio.all_tasks()) == 1:
                break
            await asyncio.sleep(0.05)
        assert len(asyncio.all_tasks()) == 1, asyncio.all_tasks()
        return result

    return asyncio.run(watched())


def bodies(url, words):
    """What the model was asked when the last words of the user were ``words``."""
    from tests.aimock import journal

    found = [entry["body"] for entry in journal(url, words)]
    return [body for body in found if _last_words(body) == words]


def requests(url, words):
    """The conversations that ended in the user's ``words``."""
    return [body["messages"] for body in bodies(url, words)]


def _last_words(body):
    return [each["content"] for each in body["messages"] if each["role"] == "user"][-1]


def conversation(first, answer, last):
    """An input with an earlier turn that called a tool."""
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
