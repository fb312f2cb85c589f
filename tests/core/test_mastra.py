import asyncio
import logging

import pydantic_ai
import pytest

from mastra_core import (
    Agent,
    AgentInput,
    Cors,
    Mastra,
    Memory,
    Middleware,
    Server,
    Telemetry,
    Workflow,
    create_logger,
    tool,
)
from mastra_core.agents import AgentInfo, AgentOutput, TextDelta
from mastra_core.describe import describe, find_missing_extras, find_missing_providers
from mastra_core.errors import ConfigError, NotFound


async def echo(text: str) -> str:
    """Says it back.

    At length.
    """
    return text


async def handler(request, next):
    return await next(request)


def double(n: int) -> int:
    """Twice as much."""
    return 2 * n


def test_empty_application():
    mastra = Mastra(logger=False)
    assert (dict(mastra.agents), dict(mastra.workflows), dict(mastra.tools)) == ({}, {}, {})
    assert mastra.server == Server()
    assert mastra.telemetry is None
    assert not mastra.logger.isEnabledFor(logging.CRITICAL)


def test_mappings_equal_dataclasses():
    by_mapping = Mastra(
        server={"port": 8080, "cors": {"origins": ["https://a.example"]}},
        telemetry={"service_name": "shop", "export": {"type": "console"}},
        server_middleware=[{"handler": handler, "path": "*"}, handler],
        logger=False,
    )
    by_dataclass = Mastra(
        server=Server(port=8080, cors=Cors(origins=["https://a.example"])),
        telemetry=Telemetry(service_name="shop", export={"type": "console"}),
        server_middleware=[Middleware(handler=handler, path="*"), Middleware(handler=handler)],
        logger=False,
    )
    assert by_mapping.server == by_dataclass.server
    assert by_mapping.telemetry == by_dataclass.telemetry
    assert by_mapping.server_middleware == by_dataclass.server_middleware
    assert by_mapping.server_middleware[1].path == "/api/*"


@pytest.mark.parametrize(
    ("settings", "message", "hint"),
    [
        ({"server": {"prt": 1}}, "server has no setting 'prt'", "Did you mean 'port'?"),
        ({"server": {"zzzz": 1}}, "server has no setting 'zzzz'", "It takes host, port"),
        ({"server": {"cors": {"origin": []}}}, "server.cors has no", "Did you mean 'origins'?"),
        ({"server": 8080}, "server=8080 is not valid", "Pass Server"),
        ({"telemetry": {"servicename": "x"}}, "telemetry has no", "Did you mean 'service_name'?"),
        ({"server_middleware": [{"handle": handler}]}, "middleware has no", "mean 'handler'?"),
        (
            {"server_middleware": [{"path": "*"}]},
            "middleware has invalid arguments",
            "Use handler, path.",
        ),
        ({"server_middleware": [{"handler": 3}]}, "handler 3 is not callable", "async def"),
        ({"server_middleware": [{"handler": handler, "path": "api"}]}, "'api' does not", "/api"),
        ({"agents": ["x"]}, "'agents' has the wrong type 'list'", "agents={"),
        ({"agents": {"x": 3}}, "3 is not an agent", "a pydantic-ai agent."),
        ({"agents": {"x": print}}, "is not an agent", "async def"),
        ({"workflows": {"x": echo}}, "is not a workflow", "Workflow('id')"),
        ({"workflows": {"x": Workflow("w")}}, "'w' has no steps", ".then"),
        ({"tools": {"x": "y"}}, "'y' is not a tool", "typed function"),
        ({"server": {"cors": {"credentials": True}}}, "any website", "List the origins"),
        ({"logger": "info"}, "'info' is not a logger", "create_logger"),
        ({"server_middleware": handler}, "wrong type 'function'", "server_middleware=["),
        ({"server_middleware": {"handler": handler}}, "wrong type 'dict'", "server_middleware=["),
        ({"server": {"public": "/docs/*"}}, "public='/docs/*' is text", "public=['/docs/*']"),
        ({"server": {"trusted_proxies": "::1"}}, "trusted_proxies='::1' is text", "['::1']"),
        ({"server": {"model_settings": "seed"}}, "model_settings='seed' is text", "['seed']"),
        ({"server": {"cors": {"origins": "https://a"}}}, "origins='https://a' is text", "Write"),
    ],
)
def test_invalid_settings(settings, message, hint):
    with pytest.raises(ConfigError) as caught:
        Mastra(**{"logger": False, **settings})
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_find_by_key_and_id():
    flow = Workflow("flow").then(double)
    mastra = Mastra(
        agents={"talk": echo}, workflows={"run": flow}, tools={"twice": double}, logger=False
    )
    assert mastra.get_agent("talk") is mastra.get_agent("echo")
    assert mastra.get_workflow("run") is mastra.get_workflow("flow") is flow
    assert mastra.get_tool("twice") is mastra.get_tool("double")
    for get in (mastra.get_agent, mastra.get_workflow, mastra.get_tool):
        with pytest.raises(NotFound):
            get("nothing")


def test_logger_is_used_as_it_is():
    mine = logging.getLogger("mine")
    assert Mastra(logger=mine).logger is mine
    assert Mastra(logger=create_logger("named", "error")).logger.name == "named"
    assert Mastra(logger=True).logger.level == logging.INFO


def test_description_is_data():
    mastra = Mastra(
        agents={"talk": echo},
        workflows={"run": Workflow("flow").then(double)},
        tools={"twice": tool(id="double-it")(double)},
        server={"port": 1, "host": "::1", "drain_timeout": 2},
        server_middleware=[handler],
        logger=False,
    )
    assert describe(mastra) == {
        "agents": {"talk": "echo"},
        "workflows": {"run": "flow"},
        "tools": {"twice": "double-it"},
        "variables": {},
        "suspending_steps": {},
        "run_database": "memory",
        "model_modules": [],
        "middleware": 1,
        "serve": {
            "host": "::1",
            "port": 1,
            "drain": 2,
            "proxies": [],
            "api_prefix": "/api",
            "single_process": True,
            "per_process": [],
            "shares_responses": False,
            "body_limit": 0,
            "timeouts": {},
        },
    }
    chat = Mastra(agents={"chat": Agent(name="c", model="openai:gpt-5")}, logger=False)
    assert describe(chat)["variables"] == {"chat": ["OPENAI_API_KEY"]}
    assert describe(Mastra(logger=False))["serve"]["single_process"] is False
    own = {"body_limit": 9, "timeout": 1, "run_timeout": 2}
    timed = Agent(name="t", model="test", timeout=3)
    serve = describe(Mastra(agents={"t": timed}, server=own, logger=False))["serve"]
    assert serve["body_limit"] == 9 and sorted(serve["timeouts"].values()) == [1, 2, 3]
    assert find_missing_providers(mastra) == {}
    assert find_missing_extras(mastra) == {}
    counted = {"metrics": True, "logs": True, "rate_limit": {"amount": "1/second"}}
    assert describe(Mastra(server=counted, logger=False))["serve"]["per_process"] == [
        "Server(logs=True)",
        "Server(metrics=True)",
        "Server(rate_limit=...)",
    ]
    shared = {"rate_limit": {"amount": "1/second", "storage": "async+redis://host:6379"}}
    assert describe(Mastra(server=shared, logger=False))["serve"]["per_process"] == []


def test_functions_of_one_name_are_named_after_their_keys():
    def build_function(answer):
        async def run(text: str) -> str:
            return answer

        return run

    async def other(text: str) -> str:
        return text

    mastra = Mastra(
        agents={"one": build_function("1"), "two": build_function("2"), "x": other}, logger=False
    )
    assert [agent.id for agent in mastra.agents.values()] == ["one", "two", "other"]
    mastra = Mastra(agents={"run": other, "two": build_function("2")}, logger=False)
    assert [agent.id for agent in mastra.agents.values()] == ["other", "two"]
    with pytest.raises(ConfigError, match="Two agents"):
        Mastra(agents={key: Agent(name="a", model="test") for key in "bc"}, logger=False)


def test_the_clients_of_all_models_are_described():
    inner = Agent(name="inner", model="openai-chat:gpt-5")
    agents = {
        "first": Agent(name="first", model=["anthropic:claude", "google:gemini"]),
        "outer": Agent(name="outer", model="test", agents={"inner": inner}),
    }
    found = set(describe(Mastra(agents=agents, logger=False))["model_modules"])
    models = {f"pydantic_ai.models.{name}" for name in ("anthropic", "google", "openai")}
    assert models | {"openai.resources.chat.chat"} <= found
    assert "openai.resources.responses.responses" not in found


@pytest.mark.parametrize("memory", [None, Memory()])
def test_every_agent_takes_text_and_options(memory):
    async def whole(input: AgentInput) -> str:
        return f"{input.prompt} {input.context['user']}"

    class Own:
        id = name = "own"
        description = ""
        workflows = agents = ("of another kind",)

        def info(self):
            return AgentInfo()

        async def generate(self, input):
            return AgentOutput(text=await whole(input), reason="stop")

        async def stream(self, input):
            yield TextDelta(text=await whole(input))

    agents = {"whole": whole, "own": Own(), "pydantic": pydantic_ai.Agent("test", name="p")}
    mastra = Mastra(agents=agents, memory=memory, logger=False)

    async def run(key):
        agent = mastra.get_agent(key)
        output = await agent.generate("hello", context={"user": "ann"})
        events = [each async for each in agent.stream("hello", context={"user": "ann"})]
        return output.text, "".join(each.text for each in events if isinstance(each, TextDelta))

    for key in ("whole", "own"):
        assert asyncio.run(run(key)) == ("hello ann", "hello ann")
    assert asyncio.run(run("pydantic"))[0].startswith("success")
