"""An application with agents, a memory in D1 and a workflow, for previews of Workers."""

import asyncio

from mastra_core import (
    Agent,
    ApiRoute,
    DurableEngine,
    Mastra,
    Memory,
    Server,
    StepContext,
    Telemetry,
    Workflow,
    step,
    tool,
)

ENDED = []
STARTED = []


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@tool(requires_approval=True)
def pay(amount: int) -> str:
    """Pay an amount."""
    return f"paid {amount}"


async def ticking(text: str):
    """Say many words slowly."""
    try:
        for number in range(50):
            yield f"{text}-{number} "
            await asyncio.sleep(0.1)
        ENDED.append("complete")
    except BaseException:
        ENDED.append("cancelled")
        raise


async def greeter(text: str) -> str:
    """Greet."""
    return f"hello {text}"


@tool
def list_ended() -> list:
    """How the runs of ticking have ended."""
    return ENDED


@tool
def list_started() -> list:
    """The runs whose step ``idle`` this isolate has begun."""
    return STARTED


@step
def double(number: int) -> int:
    """Double, in code that runs in a thread elsewhere."""
    return 2 * number


@step
async def wait(number: int) -> int:
    """Wait within the request."""
    await asyncio.sleep(0.05)
    return number + 1


@step(resume=bool)
async def approve(number: int, context: StepContext) -> str:
    """Suspend the run until somebody decides."""
    if context.resume_data is None:
        context.suspend()
    return f"{number} {'approved' if context.resume_data else 'refused'}"


@step
async def idle(number: int, context: StepContext) -> int:
    """Take longer than any test."""
    STARTED.append(context.run_id)
    await asyncio.sleep(60)
    return number


async def use_bindings(request) -> dict:
    """Write to each kind of storage, and read it again."""
    env = request.scope["env"]
    await env.CACHE.put("color", "green")
    await env.FILES.put("note.txt", "hello")
    note = await env.FILES.get("note.txt")
    await env.JOBS.send("job")
    return {"kv": await env.CACHE.get("color"), "r2": await note.text()}


mastra = Mastra(
    agents={
        "helper": Agent(name="helper", model="openai-chat:gpt-4o", tools=[add, pay]),
        "claude": Agent(name="claude", model="anthropic:claude-sonnet-4-5"),
        "ticking": ticking,
        "greeter": greeter,
    },
    tools={"ended": list_ended, "started": list_started},
    workflows={
        "sum": Workflow("sum").then(double).then(wait),
        "order": Workflow("order").then(double).then(approve),
        "pause": Workflow("pause").sleep(1).then(double),
        "idle": Workflow("idle").then(idle),
    },
    engine=DurableEngine("d1:DB", lease=2, release_after=0.5),
    memory=Memory(),
    storage="d1:DB",
    server=Server(api_routes=[ApiRoute(path="/bindings", handler=use_bindings)]),
    telemetry=Telemetry(
        service_name="worker", sampling={"type": "always_on"}, export={"type": "otlp"}
    ),
)
