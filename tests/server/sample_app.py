"""The application that most server tests use."""

import asyncio
import re
from dataclasses import dataclass
from typing import Any, ClassVar

from mastra_core import Mastra, StepContext, ToolContext, Workflow, step, tool
from mastra_core.agents import (
    AgentInput,
    ApprovalRequired,
    Finish,
    Start,
    StepFinish,
    TextDelta,
    ToolCall,
    ToolResult,
    Usage,
)


@dataclass
class Sum:
    sum: int


@dataclass
class Number:
    n: int


@dataclass
class Topic:
    topic: str


@dataclass
class Approval:
    ok: bool


@tool
def add(a: int, b: int) -> Sum:
    """Adds two numbers."""
    return Sum(a + b)


@tool(id="fail-tool")
def fail(a: int = 0) -> int:
    """Fails."""
    raise RuntimeError("tool exploded")


@tool
async def whoami(context: ToolContext) -> dict[str, Any]:
    """What the request context holds."""
    return dict(context.request_context)


class EchoAgent:
    """An agent that responds in the turns of a real model."""

    id = "echo-agent"
    name = "Echo Agent"
    description = "Echoes"

    def info(self):
        from mastra_core.agents import AgentInfo

        return AgentInfo(instructions="You echo.", provider="mock", model="echo-1", tools=(add,))

    async def generate(self, input):
        from mastra_core.agents import collect

        return await collect(self.stream(input))

    async def stream(self, input: AgentInput):
        yield Start(model="echo-1", provider="mock")
        used = Usage(input_tokens=7, output_tokens=3)
        total = used
        if input.prompt.startswith("add"):
            arguments = {"a": 2, "b": 3}
            yield ToolCall(id="call-1", name="add", arguments=arguments)
            result = await add.execute(arguments)
            yield ToolResult(id="call-1", name="add", arguments=arguments, result=result)
            yield StepFinish(reason="tool-calls", continued=True, usage=used)
            total = used + used
        for word in re.findall(r"\S+\s*", f"echo: {input.prompt}"):
            yield TextDelta(text=word)
        yield StepFinish(usage=used)
        wanted = {"a": input.prompt} if input.output_schema else None
        yield Finish(usage=total, object=wanted)


class ApprovalAgent(EchoAgent):
    id = "approval-agent"

    async def stream(self, input):
        yield Start()
        yield ToolCall(id="call-1", name="add", arguments={"a": 1, "b": 2})
        yield ApprovalRequired(id="call-1", name="add", arguments={"a": 1, "b": 2})


class BrokenAgent(EchoAgent):
    """Breaks the protocol: it raises."""

    id = "broken-agent"

    async def stream(self, input):
        yield Start()
        raise RuntimeError("secret internals")


async def boom(text: str) -> str:
    raise RuntimeError("model exploded")


async def shout(text: str) -> dict:
    return {"loud": text.upper()}


async def context_agent(input: AgentInput) -> dict:
    return {
        "context": input.context,
        "thread": input.thread,
        "settings": input.settings,
        "messages": [(message.role, message.text) for message in input.messages],
    }


class TickingRuns:
    """The prompts of the ticking agent's runs that began and that ended, in this process."""

    begun: ClassVar[list[str]] = []
    ended: ClassVar[list[str]] = []


async def ticking(text: str):
    TickingRuns.begun.append(text)
    try:
        for index in range(40):
            yield f"{text}{index} "
            await asyncio.sleep(0.05)
    finally:
        TickingRuns.ended.append(text)


async def slow_agent(text: str) -> str:
    await asyncio.sleep(30)
    return text


@step
def double(value: Number) -> Number:
    return Number(value.n * 2)


@step
async def inc(value: Number) -> Number:
    return Number(value.n + 1)


@step(resume=Approval)
async def ask(value: Topic, context: StepContext) -> Approval:
    if context.resume_data is None:
        context.suspend({"reason": f"approve {value.topic}?"})
    return context.resume_data


@step
async def fin(value: Approval) -> dict:
    return {"done": "yes" if value.ok else "no"}


@step
async def bad(value: Any = None) -> dict:
    raise RuntimeError("step exploded")


@step
async def slow(value: Number, context: StepContext) -> Number:
    await context.write({"hello": 1})
    await asyncio.sleep(value.n / 1000)
    return value


@step
async def side_a(value: Number) -> dict:
    return {"v": "a"}


@step
async def side_b(value: Number) -> dict:
    return {"v": "b"}


@step
async def see(context: StepContext) -> dict:
    return dict(context.request_context)


def create_sample(**settings) -> Mastra:
    settings.setdefault("logger", False)
    return Mastra(
        agents={
            "echoAgent": EchoAgent(),
            "approvalAgent": ApprovalAgent(),
            "brokenAgent": BrokenAgent(),
            "boom": boom,
            "shout": shout,
            "contextAgent": context_agent,
            "ticking": ticking,
            "slowAgent": slow_agent,
        },
        workflows={
            "pureWorkflow": Workflow("pure-workflow", description="double, increment")
            .then(double)
            .then(inc),
            "approveWorkflow": Workflow("approve-workflow").then(ask).then(fin),
            "badWorkflow": Workflow("bad-workflow").then(bad),
            "slowWorkflow": Workflow("slow-workflow").then(slow).parallel(side_a, side_b),
            "seeWorkflow": Workflow("see-workflow").then(see),
        },
        tools={"addTool": add, "failTool": fail, "whoami": whoami},
        **settings,
    )
