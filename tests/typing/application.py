"""What README and docs show, written as a typed user writes it; type checkers must accept it."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from typing import Annotated, Any, Literal, assert_type

from litestar import Request, Response
from msgspec import Meta

from mastra_core import (
    Agent,
    AgentInput,
    ApiRoute,
    Cors,
    Mastra,
    Memory,
    MemoryEngine,
    MemoryStorage,
    Middleware,
    RateLimit,
    Secret,
    Server,
    SqliteStorage,
    Step,
    StepContext,
    Telemetry,
    Tool,
    ToolContext,
    Workflow,
    as_step,
    create_logger,
    step,
    tool,
)
from mastra_core.agents import (
    AgentEvent,
    AgentOutput,
    ClientTool,
    Decision,
    FilePart,
    Message,
    TextDelta,
    TextPart,
    ToolCall,
    ToolResultPart,
    Usage,
    UsageLimits,
    has_tool_call,
    step_count,
)
from mastra_core.agents.function import FunctionAgent
from mastra_core.errors import Forbidden
from mastra_core.storage import MessageQuery, Page, Storage, Thread, ThreadQuery
from mastra_core.telemetry import start_span
from mastra_core.workflows import Engine, Run, RunRecord
from mastra_server import ApiKeys, Jwt, request_context

# --- Tools


def forecast(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


@tool(id="find-books")
def find_books(
    text: Annotated[str, Meta(description="Words of the title", min_length=1)],
    context: ToolContext,
    order: Literal["new", "old"] = "new",
) -> list[str]:
    """Find books by title."""
    return [f"{text} for {context.request_context.get('user')} ({order})"]


@tool(requires_approval=True)
async def ask_user(question: str, context: ToolContext) -> str:
    """Ask the user something."""
    if context.resume_data is None:
        context.suspend({"question": question})
    await context.write({"asked": question})
    context.count_usage(Usage(input_tokens=3))
    answer: str = context.resume_data["answer"]
    return answer


def is_expensive(amount: int) -> bool:
    return amount > 100


@tool(requires_approval=is_expensive)
def pay(amount: int) -> str:
    """Pay somebody."""
    return f"paid {amount}"


# --- Agents


async def echo(text: str) -> str:
    """Says it back."""
    return text


async def pieces(text: str) -> AsyncIterator[str]:
    yield text


async def events(wish: AgentInput) -> AsyncIterator[AgentEvent | str]:
    yield TextDelta(text=wish.prompt)


async def instructions(context: Mapping[str, Any]) -> str:
    return f"Greet {context['name']}."


@dataclasses.dataclass
class Report:
    city: str
    degrees: int


weather = Agent(
    name="weather",
    instructions="Answer in one sentence.",
    model="test",
    tools=[forecast, find_books, ask_user, pay],
    output=Report,
    settings={"temperature": 0},
    limits=UsageLimits(requests=3),
    stop_when=[step_count(3)],
)
greeter = Agent(name="greeter", model=["test", "openai:gpt-5"], instructions=instructions)
short = Agent(name="short", model="test", instructions=lambda context: f"Greet {context['name']}")
team = Agent(name="team", model="test", agents={"weather": weather, "echo": echo})


async def run_agents() -> None:
    answer = await weather.generate(
        "How is Oslo?",
        instructions="Answer in Norwegian.",
        settings={"temperature": 0},
        stop_when=(has_tool_call("forecast"), step_count(3)),
        timeout=20,
    )
    assert_type(answer, AgentOutput)
    assert_type(answer.text, str)
    assert_type(answer.tool_calls, list[ToolCall])
    await weather.generate("And tomorrow?", history=answer.history, tools=[forecast])

    picture = FilePart(media_type="image/png", data=b"...")
    words = TextPart(text="What is it?")
    await weather.generate(AgentInput(messages=(Message(role="user", parts=(words, picture)),)))

    decisions = {call.id: Decision() for call in answer.waiting}
    await weather.generate(AgentInput(history=answer.history, decisions=decisions))

    client_tools = (ClientTool(name="locate", description="Where the user is."),)
    output = await greeter.generate("Where am I?", client_tools=client_tools)
    (call,) = output.tool_calls
    result = ToolResultPart(id=call.id, name=call.name, result="Oslo")
    message = Message(role="tool", parts=(result,))
    await greeter.generate(AgentInput(messages=(message,), history=output.history))


async def follow_agent() -> None:
    stream = weather.stream("How is Oslo?")
    assert_type(stream, AsyncGenerator[AgentEvent, None])
    async with contextlib.aclosing(stream):
        async for event in stream:
            match event:
                case TextDelta(text=text):
                    assert_type(text, str)
                case _:
                    print(event)


# --- Workflows


@step
def price(item: str) -> int:
    return 10 * len(item)


@step
async def tax(amount: int) -> float:
    return amount * 1.2


@dataclasses.dataclass
class Basket:
    total: float = 0


@step(resume=bool, suspend=dict)
def confirm(total: float, context: StepContext) -> str:
    if context.resume_data is None:
        context.suspend({"question": f"Pay {total}?"})
    basket: Basket = context.state
    context.set_state(total=basket.total + context.output(price))
    return "paid" if context.resume_data else "dropped"


order = Workflow("order", state=Basket).then(price).then(tax).then(confirm)
letters = (
    Workflow("letters")
    .then(as_step(FunctionAgent(echo), id="writer"))
    .then(find_books)
    .then(as_step(Workflow("half").map(lambda words: len(words) / 2), id="halved"))
)
trip = (
    Workflow("trip")
    .map(lambda city: [city, city[::-1]])
    .foreach(price, concurrency=2)
    .map({"prices": {"step": "price"}, "count": lambda prices: len(prices) + 0, "first": price})
)
report = as_step(weather, id="report", output=Report, retry=2)
assert_type(order, Workflow[str, str])
assert_type(trip, Workflow[Any, dict[str, Any]])
assert_type(report, Step[Any, Report])


async def run_workflow() -> None:
    engine = MemoryEngine(max_finished=1000, max_age=3600, max_unfinished=10_000)
    run = await engine.create(order)
    assert_type(run, Run)
    await engine.start(run, "book", state={"total": 1})
    record = await run.wait()
    assert_type(record, RunRecord)
    assert record.suspended_steps == ["confirm"]
    await engine.resume(run, True, step="confirm")
    await engine.time_travel(run, "tax", 50)
    async for event in run.iter_events(offset=3):
        print(event.at)
    print(order.draw(), order.draw("svg"), order.build_graph())


# --- Memory and storage


@dataclasses.dataclass
class Profile:
    name: str = ""


async def first_words(text: str) -> str:
    return " ".join(text.split()[:5])


memory = Memory(last_messages=10, working_memory=Profile, generate_title=first_words)


async def use_threads() -> None:
    thread = await memory.create_thread(resource="ann", title="Trip", metadata={"paid": True})
    await memory.update_thread(thread.id, "ann", title="Trip to Oslo")
    page = await memory.list_threads(
        ThreadQuery(resource="ann", metadata={"paid": True}, per_page=20)
    )
    assert_type(page, Page[Thread])
    newest = MessageQuery(thread=thread.id, descending=True, per_page=5)
    print((await memory.list_messages(newest, "ann")).items)
    copy, _ = await memory.clone_thread(thread.id, "ann")
    try:
        await memory.get_thread(copy.id, "bob")
    except Forbidden as error:
        assert_type(error.message, str)


class Counted:
    single_process = True

    def __init__(self) -> None:
        inner = MemoryStorage()
        self.threads, self.suspended_runs = inner.threads, inner.suspended_runs

    async def open(self) -> None: ...

    async def close(self) -> None: ...


storage: Storage = Counted()

# --- The server


async def check_token(
    request: Request[Any, Any, Any], next: Callable[[Request[Any, Any, Any]], Awaitable[Any]]
) -> Any:
    if "authorization" not in request.headers:
        return Response({"error": "Invalid or expired token"}, status_code=401)
    request_context(request)["user"] = "the owner of the token"
    return await next(request)


async def show_order(request: Request[Any, Any, Any]) -> dict[str, str]:
    return {"order": request.path_params["order"]}


async def address(request: Request[Any, Any, Any]) -> str:
    return request.client.host if request.client else ""


class Tokens:
    async def authenticate(self, token: str, request: Request[Any, Any, Any]) -> str | None:
        return token if request.method == "GET" else None


server = Server(
    port=8080,
    api_prefix="/v1",
    auth=ApiKeys({"shop": Secret.env("SHOP_KEY")}),
    api_routes=[ApiRoute(path="/orders/{order}", handler=show_order, method=["GET", "POST"])],
    cors=Cors(origins=["https://app.example.com"]),
    rate_limit=RateLimit(amount="100/minute", by=address),
    timeout=60,
)
others = (
    Server(auth=Jwt(secret=Secret.env("JWT_SECRET"), audience=None), cors=False),
    Server(auth=Tokens(), public=["/orders/*"]),
)

# --- The application

logger = create_logger(name="shop", level="info", format="json")
logger.info("order taken", extra={"order": 17, "api_key": "..."})
assert_type(logger, logging.Logger)

engine: Engine = MemoryEngine()
tools = {"books": find_books, "pay": pay}
workflows = {"order": order, "letters": letters, "trip": trip}
mastra = Mastra(
    agents={"weather": weather, "echo": echo, "pieces": pieces, "events": events},
    workflows=workflows,
    tools={**tools, "forecast": forecast},
    logger=logger,
    telemetry=Telemetry(
        service_name="shop",
        sampling={"type": "ratio", "probability": 0.1},
        export={"type": "otlp", "endpoint": "http://localhost:4318"},
    ),
    memory=memory,
    storage=SqliteStorage("app.db", busy_timeout=10),
    engine=engine,
    server=server,
    server_middleware=[
        check_token,
        {"handler": check_token, "path": "/api/agents/*"},
        Middleware(handler=check_token),
    ],
)
plain = Mastra(
    tools=tools,
    logger=False,
    memory={"last_messages": 3},
    storage="memory:",
    server={"port": 8080},
    telemetry={"enabled": False},
)


async def look_up() -> None:
    assert_type(await mastra.get_agent("weather").generate("Hi", max_steps=2), AgentOutput)
    assert_type(mastra.get_workflow("order"), Workflow)
    assert_type(mastra.get_tool("books"), Tool)
    for key, agent in mastra.agents.items():
        print(key, agent.info().tools)
    hello = AgentInput(messages=(Message.user("Hello."),), thread="t1", resource="ann")
    assert_type(await mastra.get_agent("chat").generate(hello), AgentOutput)
    with start_span("look up", {"row": 1}) as current:
        if current is not None:
            current.set_attribute("found", True)
