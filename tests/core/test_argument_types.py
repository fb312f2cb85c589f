"""A wrong argument is reported where it is passed, and not in the first request."""

import asyncio
import datetime as dt
import functools
import inspect
import math

import pytest

from mastra_core import (
    Agent,
    ApiRoute,
    Cors,
    D1Storage,
    DurableEngine,
    Mastra,
    Memory,
    MemoryEngine,
    MemoryStorage,
    Middleware,
    PostgresStorage,
    RateLimit,
    Retry,
    Schedule,
    Secret,
    Server,
    SqliteStorage,
    Step,
    StepContext,
    Telemetry,
    Tool,
    ToolContext,
    Workflow,
    create_logger,
    step,
    tool,
)
from mastra_core.agents import (
    AgentInput,
    SuspendedRunQuery,
    UsageLimits,
    as_agent,
    has_tool_call,
    step_count,
)
from mastra_core.arguments.argument_types import check_types
from mastra_core.errors import ConfigError, InvalidInput, MastraError, NotFound
from mastra_core.logs import FileTransport, HttpTransport, OtlpTransport
from mastra_core.mcp import McpClient, McpResource
from mastra_core.storage import MessageQuery, ThreadQuery
from mastra_core.workflows import RunQuery
from mastra_server import ApiKeys, Jwt, chat_routes, create_app


def double(n: int) -> int:
    """Twice as much."""
    return 2 * n


async def handler(request):
    return None


async def pass_on(request, next):
    return await next(request)


class NoRequest:
    def authenticate(self, token):
        return None


SETTINGS = {
    Agent: {"name": "a", "model": "test"},
    ApiKeys: {"keys": {"ada": "secret"}},
    ApiRoute: {"path": "/a", "handler": handler},
    Cors: {},
    D1Storage: {"binding": "DB"},
    DurableEngine: {"store": "sqlite:///a.db"},
    FileTransport: {"path": "a.log"},
    HttpTransport: {"url": "http://localhost"},
    Jwt: {"secret": "s" * 40, "audience": None},
    UsageLimits: {},
    Mastra: {"logger": False},
    McpClient: {"url": "http://localhost/mcp"},
    McpResource: {"uri": "docs://a", "name": "a", "content": "a"},
    Memory: {},
    MemoryEngine: {},
    MemoryStorage: {},
    MessageQuery: {"thread": "t"},
    Middleware: {"handler": pass_on},
    OtlpTransport: {},
    PostgresStorage: {"url": "postgresql://localhost/a"},
    RateLimit: {"amount": "1/second"},
    Retry: {},
    RunQuery: {},
    Schedule: {"cron": "@daily"},
    Secret: {"value": "secret"},
    Server: {},
    SqliteStorage: {"path": "a.db"},
    Step: {"id": "s", "call": step(double).call},
    SuspendedRunQuery: {"agent": "a"},
    Telemetry: {},
    ThreadQuery: {},
    Tool: {"id": "t", "description": "", "function": double, "input": {}},
    Workflow: {"id": "w"},
    chat_routes: {},
    create_app: {"mastra": None},
    create_logger: {},
    step_count: {"number": 1},
    tool: {},
}
# Any value is valid, or the value is not checked.
UNCHECKED = {
    (Mastra, "deployer"),
    (Schedule, "input"),
    (Step, "kind"),
    (Step, "workflow"),
    (Step, "child"),
    (Tool, "output"),  # ``tool`` checks them
    (Tool, "resume"),
}
PARAMETERS = [
    pytest.param(function, name, id=f"{function.__name__}-{name}")
    for function in SETTINGS
    for name in inspect.signature(function).parameters
    if (function, name) not in UNCHECKED
]


def create(function, positional, arguments):
    result = function(*positional, **arguments)
    return result(double) if function is tool else result


@pytest.mark.parametrize(("function", "name"), PARAMETERS)
def test_every_parameter_refuses_a_value_of_another_type(function, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = {**SETTINGS[function], name: object()}
    positional = [arguments.pop("function")] if function is tool and name == "function" else []
    with pytest.raises(MastraError) as caught:
        create(function, positional, arguments)
    assert isinstance(caught.value, ConfigError | InvalidInput)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("annotation", "valid", "invalid"),
    [
        ("str", ["", "a"], [None, b"a", 1, ["a"]]),
        ("bool", [True], [None, 0, 1, "true"]),
        ("int", [0, -1], [None, True, 1.5, "1", math.nan]),
        ("float | None", [None, 0, 1.5], [True, "1", dt.timedelta(seconds=1)]),
        ("Sequence[str]", [[], ("a",), {"a"}], [None, "a", b"a", [1], {"a": 1}, iter(["a"])]),
        ("Mapping[str, int | str] | None", [None, {}], [[], "a", [("a", 1)]]),
        ("bool | Callable[..., Any]", [True, len, int], [None, "a", 1]),
        ("Any", [None, object()], []),
        ("Memory | None", [None, object()], []),
    ],
)
def test_kinds_of_values(annotation, valid, invalid):
    for value in valid:
        check_types({"x": value}, {"x": annotation})
    for value in invalid:
        with pytest.raises(ConfigError, match=r"'x' (has the wrong type|contains 1)"):
            check_types({"x": value}, {"x": annotation})


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (Agent, {"retries": -1}, "retries=-1 is not a valid number"),
        (Agent, {"max_steps": 0}, "max_steps=0 is not a valid number"),
        (Agent, {"timeout": math.nan}, "timeout nan of the agent 'a'"),
        (Agent, {"timeout": 0}, "timeout 0 of the agent 'a'"),
        (Agent, {"stop_when": ["a"]}, "stop condition 'a' is not a sync function"),
        (Agent, {"stop_when": [handler]}, "is not a sync function"),
        (Agent, {"output": 5}, "The type 5 has no JSON Schema"),
        (ApiKeys, {"keys": {"ada": None}}, "A secret is empty"),
        (ApiKeys, {"keys": {"ada": 5}}, "A secret has the type 'int'"),
        (ApiRoute, {"method": []}, "has no method"),
        (ApiRoute, {"handler": lambda: None}, "cannot be called: too many positional"),
        (ApiRoute, {"path": "/a?b"}, "is not a path, so no request would match"),
        (ApiRoute, {"path": "/{a"}, "is not a path, so no request would match"),
        (Cors, {"origins": ["app.example"]}, "'app.example' in origins is not an origin"),
        (Cors, {"origins": ["https://a.example/"]}, "is not an origin"),
        (Middleware, {"handler": handler}, "cannot be called: too many positional"),
        (RateLimit, {"by": lambda: ""}, "passed as by, cannot be called"),
        (Server, {"on_error": handler}, "'handler', passed as on_error, cannot be called"),
        (Server, {"auth": NoRequest()}, "passed as auth.authenticate, cannot be called"),
        (Server, {"trusted_proxies": ["localhost"]}, "'localhost' in trusted_proxies is neither"),
        (Server, {"trusted_proxies": ["10.0.0.1/8"]}, "has host bits set"),
        (Jwt, {"leeway": math.nan}, "leeway=nan is not a valid number"),
        (Jwt, {"leeway": math.inf}, "leeway=inf is not a valid number"),
        (Jwt, {"algorithms": "HS256"}, "algorithms='HS256' is text"),
        (UsageLimits, {"requests": -1}, "requests=-1 is not a valid number"),
        (McpClient, {"url": "localhost"}, "McpClient cannot send to 'localhost'"),
        (McpClient, {"timeout": 0}, "timeout=0 is not a valid number"),
        (MemoryStorage, {"max_messages": 0}, "max_messages=0"),
        (PostgresStorage, {"max_connections": 0}, "max_connections=0"),
        (Server, {"port": 65536}, "port=65536 is not a port"),
        (Server, {"timeout": 0}, "timeout=0 is not a valid number"),
        (Server, {"body_limit": 0}, "body_limit=0 is not a valid number"),
        (Server, {"cors": None}, "server.cors=None is not valid"),
        (Server, {"api_routes": [{"path": "a", "handler": handler}]}, "does not begin with '/'"),
        (SqliteStorage, {"max_suspended_runs": -1}, "max_suspended_runs=-1"),
        (Telemetry, {"export": {"type": "otlp", "endpoint": "localhost"}}, "cannot send to"),
        (Telemetry, {"export": {"type": "otlp", "headers": {"a": 5}}}, "The header 'a' of the"),
        (Telemetry, {"export": {"type": "file", "path": 5}}, "'path' has the wrong type"),
        (Telemetry, {"export": {"type": []}}, "type \\[\\] does not exist"),
        (Telemetry, {"sampling": {"type": "always_on", "trust_callers": "no"}}, "'trust_callers'"),
        (McpResource, {"content": lambda: ""}, "passed as content, cannot be called"),
        (Tool, {"id": ""}, "The id of a tool is empty"),
        (Workflow, {"nodes": ["a"]}, "'a' is not a node"),
        (Workflow, {"input": 5}, "The type 5 has no JSON Schema"),
        (step_count, {"number": 0}, "number=0 is not a valid number"),
        (RunQuery, {"limit": -1}, "limit=-1 of RunQuery is out of its range"),
        (RunQuery, {"limit": 2**63}, "is out of its range"),
        (RunQuery, {"order": "x"}, "order='x' of RunQuery does not exist"),
        (ThreadQuery, {"order_by": "id; --"}, "Threads cannot be ordered by 'id; --'"),
        (ThreadQuery, {"page": -1}, "page=-1 is not a valid number"),
        (MessageQuery, {"roles": "user"}, "'roles' has the wrong type 'str'"),
    ],
)
def test_value_out_of_its_range(function, arguments, message):
    with pytest.raises((ConfigError, InvalidInput), match=message):
        function(**{**SETTINGS[function], **arguments})


@pytest.mark.parametrize(
    ("value", "options", "message"),
    [
        (None, {}, "input of the agent has the wrong type 'NoneType'"),
        ({"messages": []}, {}, "input of the agent has the wrong type 'dict'"),
        ("hi", {"max_steps": "3"}, "'max_steps' has the wrong type 'str'"),
        ("hi", {"active_tools": "search"}, "'active_tools' has the wrong type 'str'"),
        ("hi", {"resource": 5}, "'resource' has the wrong type 'int'"),
        (AgentInput(), {"settings": None}, "'settings' has the wrong type 'NoneType'"),
    ],
)
def test_input_of_a_run(value, options, message):
    with pytest.raises(InvalidInput, match=message):
        asyncio.run(Agent(name="a", model="test").generate(value, **options))


def test_settings_of_a_memory_as_a_mapping():
    agent = Agent(name="a", model="test", memory={"last_messages": 3})
    assert agent.memory.last_messages == 3


@pytest.mark.parametrize("convert", [tool, step])
def test_value_in_place_of_a_function(convert):
    for value in (0, "", [], "name", functools.partial(double, 1)):
        with pytest.raises(ConfigError, match=r"is not a (tool|function)|has no name"):
            convert(value)


def test_annotation_that_cannot_be_evaluated():
    def broken(a: "not valid") -> int:  # noqa: F821  # on purpose
        return 1

    for convert in (tool, step):
        with pytest.raises(ConfigError, match=r"A type hint of .*broken cannot be resolved"):
            convert(broken)


def test_async_function_in_a_plain_wrapper():
    async def triple(n: int) -> int:
        return 3 * n

    @functools.wraps(triple)
    def wrapper(n):
        return triple(n)

    assert asyncio.run(tool(wrapper).execute({"n": 2})) == 6
    assert asyncio.run(step(wrapper).execute(2)) == 6


def test_result_that_cannot_be_json():
    def find(n: int) -> complex:
        return complex(n)

    with pytest.raises(ConfigError, match="The type complex has no JSON Schema") as caught:
        tool(find)
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("convert", [tool, step])
def test_generator_returns_no_result(convert):
    def pieces(n: int):
        yield n

    async def async_pieces(n: int):
        yield n

    for function in (pieces, async_pieces):
        with pytest.raises(ConfigError, match="is a generator, so it returns no result"):
            convert(function)


def test_keyword_only_input_of_a_step():
    def triple(*, n: int) -> int:
        return 3 * n

    with pytest.raises(ConfigError, match="input 'n' of step 'triple' is keyword-only"):
        step(triple)
    assert asyncio.run(tool(triple).execute({"n": 2})) == 6


def test_optional_context():
    def describe(n: int, context: ToolContext | None = None) -> str:
        return f"{n} {context.run_id if context else 'direct'}"

    async def repeat(n: int, context: StepContext | None = None) -> str:
        return f"{n} {context.step_id if context else 'direct'}"

    item = tool(describe)
    assert [*item.input_schema["properties"]] == ["n"]
    assert asyncio.run(item.execute({"n": 1}, ToolContext(run_id="r"))) == "1 r"
    assert describe(1) == "1 direct"
    context = StepContext(run_id="r", workflow_id="w", step_id="s")
    assert asyncio.run(step(repeat).execute(1, context)) == "1 s"


def test_exit_of_a_function_does_not_end_the_server():
    def leave(n: int) -> int:
        raise SystemExit(3)

    async def leave_later(n: int) -> int:
        raise SystemExit(3)

    for function in (leave, leave_later):
        with pytest.raises(RuntimeError, match=r"SystemExit\(3\) was raised in a"):
            asyncio.run(tool(function).execute({"n": 1}))
        with pytest.raises(RuntimeError, match=r"SystemExit\(3\) was raised in a"):
            asyncio.run(step(function).execute(1))


def test_parameters_of_an_agent_function():
    async def answer(text, *, style="short"):
        return f"{text} {style}"

    async def everything(**values):
        return "x"

    async def required(text, *, style):
        return "x"

    for function in (answer, functools.partial(required, style="short")):
        assert asyncio.run(as_agent(function).generate(AgentInput())).text in (" short", "x")
    for function, count in ((everything, 0), (required, 2)):
        with pytest.raises(ConfigError, match=f"takes {count} arguments"):
            as_agent(function)


def test_approval_with_other_parameters():
    with pytest.raises(ConfigError, match="does not take the parameters of the tool"):
        tool(requires_approval=lambda amount: True)(double)
    assert tool(requires_approval=lambda **arguments: True)(double).id == "double"


@pytest.mark.parametrize(
    ("method", "arguments", "message"),
    [
        ("create_thread", {"resource": 5}, "'resource' has the wrong type 'int'"),
        ("create_thread", {"resource": "u", "metadata": {"a": object()}}, "Invalid metadata"),
        ("get_thread", {"thread_id": 5}, "'thread_id' has the wrong type 'int'"),
        ("update_thread", {"thread_id": "t", "title": 5}, "'title' has the wrong type 'int'"),
        ("delete_messages", {"message_ids": "m1"}, "'message_ids' has the wrong type 'str'"),
        ("save_messages", {"messages": None, "resource": "u"}, "'messages' has the wrong type"),
    ],
)
def test_values_of_a_memory(method, arguments, message):
    with pytest.raises(InvalidInput, match=message):
        asyncio.run(getattr(Memory(), method)(**arguments))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"value": object()}, "Invalid input data: object cannot be encoded as JSON"),
        ({"value": 1, "context": "x"}, "'context' has the wrong type 'str'"),
        ({"value": 1, "per_step": "no"}, "'per_step' has the wrong type 'str'"),
        ({"value": 1, "state": {"a": object()}}, "Invalid initial state: object cannot be"),
    ],
)
def test_values_of_a_run(options, message, tmp_path):
    async def start(engine):
        workflow = Workflow("w").then(step(id="s")(lambda: 1))
        await engine.open([workflow])
        with pytest.raises(InvalidInput, match="'run_id' has the wrong type 'int'"):
            await engine.create(workflow, 5)
        with pytest.raises(InvalidInput, match=message):
            await engine.start(await engine.create(workflow), **options)
        assert await engine.list(workflow) == []
        await engine.close()

    for engine in (MemoryEngine(), DurableEngine(f"sqlite:///{tmp_path}/runs.db")):
        asyncio.run(start(engine))


def test_stop_conditions_of_one_tool():
    assert Agent(name="a", model="test", stop_when=[has_tool_call("a"), step_count(2)]).stop_when


def test_history_that_cannot_be_cut():
    agent = Agent(name="a", model="test")
    history = asyncio.run(agent.generate("hi")).history
    assert agent.truncate_history(history, 1) == history
    for other, turns in ((history, 0), (history, -1), (history, 2), (b"", 1), (b"x", 1)):
        assert agent.truncate_history(other, turns) == b""


def test_values_that_are_no_step_or_state():
    context = StepContext(run_id="r", workflow_id="w", step_id="s")
    with pytest.raises(NotFound, match="has no output"):
        context.output(double)
    with pytest.raises(InvalidInput, match="'changes' has the wrong type"):
        context.set_state("x")
