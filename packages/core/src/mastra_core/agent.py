"""The built-in agent, which imports pydantic-ai at its first run."""

from __future__ import annotations

import copy
import threading
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mastra_core.agents.adapt import as_agent
from mastra_core.agents.context_functions import (
    ModelFunction,
    ToolsFunction,
    get_tools_function,
    is_model_function,
)
from mastra_core.agents.events import AgentEvent, ApprovalRequired, ToolSuspended
from mastra_core.agents.instructions import Instructions, check_instructions
from mastra_core.agents.messages import AgentInput, UsageLimits
from mastra_core.agents.preload import pause_garbage_collection, preload_agents
from mastra_core.agents.protocol import AgentInfo, AgentLike, AgentOutput
from mastra_core.agents.providers import (
    find_missing_modules,
    get_provider_modules,
    get_provider_variables,
    get_requirements,
    parse_models,
    split_model_name,
)
from mastra_core.agents.stop_conditions import StopCondition, check_stop_conditions
from mastra_core.agents.wrappers.capabilities import Capabilities
from mastra_core.agents.wrappers.subagent import build_agent_tool
from mastra_core.arguments.argument_types import check_types, require_instance
from mastra_core.arguments.number_checks import check_count, check_seconds
from mastra_core.errors import ConfigError
from mastra_core.schema import to_json_schema
from mastra_core.tools import Tool, Toolbox, as_tool, is_toolbox

if TYPE_CHECKING:
    from typing import Unpack

    from mastra_core.agents.options import RunOptions
    from mastra_core.agents.wrappers.processors import InputProcessor, OutputProcessor
    from mastra_core.memory.memory import Memory
    from mastra_core.workflows.engine.protocol import Engine
    from mastra_core.workflows.model.workflow import Workflow

__all__ = ("Agent",)

# If two threads import one package, one may see half of it, so a first run waits for preload.
_IMPORT_LOCK = threading.RLock()


class Agent:
    """An agent with instructions, a model and tools.

    :param name: display name; also the id if ``id`` is empty.
    :param instructions: the system prompt: text, where ``{{ name }}`` stands for a value of the
        request context, or a function of the request context.
    :param model: ``"provider:model"`` (``"openai:gpt-5"``), a pydantic-ai model object, or a list
        of them, tried in order until one succeeds; or a function of the request context that
        returns one of these.
    :param tools: typed functions, and toolboxes, whose tools are requested for each run; or a
        function of the request context that returns a list of tools.
    :param agents: other agents that the model may call as tools, by key.
    :param workflows: workflows that the model may run as tools, by key.
    :param output: type or JSON Schema of a structured answer; plain text by default.
    :param description: what the agent is for; tells other agents when to call it.
    :param id: id of the agent; by default ``name``.
    :param settings: model settings of every run (``temperature``, ``max_tokens``, ...).
    :param retries: how many times the model may correct an invalid structured answer.
    :param max_steps: maximum number of model turns in a run; 5 by default.
    :param stop_when: functions that take the events so far; the run ends when one returns true.
    :param timeout: seconds that a run may take.
    :param limits: the usage limits of a run.
    :param stop_on_tool_error: whether an error of a tool ends the run; by default the model gets
        the error as the result of its call.
    :param memory: the memory of conversations, or a mapping of its settings; by default the memory
        of the ``Mastra``.
    :param input_processors: sync or async functions that take the ``AgentInput`` of a run and
        return it, changed or not; an exception refuses the run.
    :param output_processors: async generators that take the events of a run and yield events.
    :param durable: whether runs are stored in a database, so that another process continues them
        after a crash; by default whether the ``Mastra`` has a durable engine. Only runs of agents
        that ``Mastra.get_agent`` returns, and runs that the server starts, are stored.
    :raises ConfigError: for a model string without a provider, an invalid tool, a number out of
        its range, or an argument of the wrong type.
    """

    history_format = "pydantic-ai"
    records_calls = True  # in the journal of a durable run
    takes_options = True  # of one run, and a text in place of an ``AgentInput``
    repeats_events = False

    def __init__(
        self,
        *,
        name: str,
        instructions: Instructions = "",
        model: Any,
        tools: Sequence[Any] | ToolsFunction = (),
        agents: Mapping[str, Any] | None = None,
        workflows: Mapping[str, Workflow[Any, Any]] | None = None,
        output: Any = None,
        description: str = "",
        id: str = "",
        settings: Mapping[str, Any] | None = None,
        retries: int = 1,
        max_steps: int | None = None,
        stop_when: Sequence[StopCondition] = (),
        timeout: float | None = None,
        limits: UsageLimits | None = None,
        stop_on_tool_error: bool = False,
        memory: Memory | Mapping[str, Any] | None = None,
        input_processors: Sequence[InputProcessor] = (),
        output_processors: Sequence[OutputProcessor] = (),
        durable: bool | None = None,
    ) -> None:
        check_types(locals(), Agent.__init__.__annotations__)
        self.choose_model: ModelFunction | None = model if is_model_function(model) else None
        self.choose_tools: ToolsFunction | None = get_tools_function(tools)
        listed_tools: Any = () if self.choose_tools else tools
        check_types({"tools": listed_tools}, {"tools": "Sequence[Any]"})
        check_instructions(instructions)
        check_stop_conditions(stop_when)
        _check_numbers(name, retries, max_steps, timeout)
        if limits is not None:
            require_instance(limits, UsageLimits, "limits")
        self.id = id or name
        self.name = name
        self.description = description
        self.instructions = instructions
        self.models = () if self.choose_model else parse_models(model)
        self.agents = {key: as_agent(value) for key, value in (agents or {}).items()}
        self.workflows = {key: _check_workflow(each) for key, each in (workflows or {}).items()}
        self.toolboxes: tuple[Toolbox, ...] = tuple(
            item for item in listed_tools if is_toolbox(item)
        )
        self.tools: tuple[Tool, ...] = tuple(
            as_tool(item) for item in listed_tools if not is_toolbox(item)
        )
        self.output = output
        if output is not None:
            to_json_schema(output)  # a type without a JSON Schema fails here, not in a run
        self.settings = dict(settings or {})
        self.retries = retries
        self.max_steps = max_steps
        self.stop_when = tuple(stop_when)
        self.timeout = timeout
        self.limits = limits
        self.stop_on_tool_error = stop_on_tool_error
        self.memory = None if memory is None else _as_memory(memory)
        self.input_processors = tuple(input_processors)
        self.output_processors = tuple(output_processors)
        self.durable = durable
        self._engine: Engine | None = None
        self._runner: AgentLike | None = None
        _check_tool_names(name, self.callable_tools)

    @property
    def callable_tools(self) -> tuple[Tool, ...]:
        """The tools that the model may call, including other agents and workflows as tools."""
        agents = (build_agent_tool(key, agent) for key, agent in self.agents.items())
        return (*self.tools, *agents, *self._build_workflow_tools())

    def info(self) -> AgentInfo:
        """Describe the agent without a run and without importing a framework."""
        first = self.models[0] if self.models else ""
        provider, model = split_model_name(first)
        return AgentInfo(
            instructions=self.instructions if isinstance(self.instructions, str) else "",
            provider=provider,
            model=model,
            tools=self.tools,
            agents=dict(self.agents),
            workflows=dict(self.workflows),
            has_more_tools=bool(self.toolboxes or self.choose_tools),
            output_schema=None if self.output is None else to_json_schema(self.output),
            requires=self._list_required_modules(),
            variables=get_provider_variables(provider) if isinstance(first, str) else (),
        )

    async def generate(
        self, input: AgentInput | str, /, **overrides: Unpack[RunOptions]
    ) -> AgentOutput:
        """Run the agent to the end, and return its output.

        :param input: the whole input, or the user's message.
        :param overrides: fields of ``AgentInput`` that replace those of ``input``
            (``max_steps=3``).
        :returns: the output of the whole run.
        :raises AgentFailed: when the run fails.
        :raises RequestError: for an input that cannot be run.
        :raises ConfigError: on the first run, when the extra ``agents`` is not installed.
        """
        return await self._get_runner().generate(AgentInput.from_value(input, overrides))

    def stream(
        self, input: AgentInput | str, /, **overrides: Unpack[RunOptions]
    ) -> AsyncGenerator[AgentEvent, None]:
        """Run the agent and yield its events; a failed run ends with ``Failure``.

        Closing the stream stops the run and the request to the model.

        :param input: the whole input, or the user's message.
        :param overrides: fields of ``AgentInput`` that replace those of ``input``
            (``max_steps=3``).
        :raises ConfigError: on the first run, when the extra ``agents`` is not installed.
        """
        return self._get_runner().stream(  # type: ignore[return-value]  # a generator here
            AgentInput.from_value(input, overrides)
        )

    def replace_memory(self, memory: Memory) -> Agent:
        """Return a copy of the agent that has another memory.

        :param memory: the memory.
        """
        agent = copy.copy(self)
        agent.memory = memory
        agent._runner = None  # noqa: SLF001  # of this class
        return agent

    def use_engine(self, engine: Engine) -> None:
        """Let an engine execute the workflows of this agent and of the agents that it calls.

        :param engine: the engine; by default each agent has an engine in this process.
        """
        if self._engine is engine:  # several agents call this agent
            return
        self._engine = engine
        for agent in self.agents.values():
            if (use_engine := Capabilities(agent).use_engine) is not None:
                use_engine(engine)

    async def cancel_workflows(
        self, run_id: str, resource: str, calls: Sequence[ApprovalRequired | ToolSuspended]
    ) -> None:
        """Cancel the runs of workflows that suspended tool calls wait for.

        :param run_id: the id of the agent's run.
        :param resource: the owner of the agent's run.
        :param calls: the calls, which may be calls of other tools, too.
        """
        if self.workflows and calls:
            from mastra_core.workflows.engine.workflow_tool import cancel_called_runs

            engine = self._get_engine()
            await cancel_called_runs(engine, self.workflows, run_id, resource, calls)

    def preload(self) -> None:
        """Import the modules that the first run needs, for this agent and the agents that it calls.

        :raises ConfigError: when the extra ``agents`` is not installed.
        """
        with _IMPORT_LOCK, pause_garbage_collection():
            runner = self._runner or self._build_runner()
            preload_agents((runner, *self.agents.values()))
            self._runner = runner

    def truncate_history(self, history: bytes, turns: int) -> bytes:
        """Shorten a serialised history to its last turns.

        :param history: a ``Finish.history``.
        :param turns: how many turns to keep.
        :returns: the shorter history; empty if it cannot be cut.
        """
        shortened: bytes = self._get_runner().truncate_history(history, turns)  # type: ignore[attr-defined]  # not part of the protocol
        return shortened

    def _build_workflow_tools(self) -> list[Tool]:
        if not self.workflows:
            return []
        from mastra_core.workflows.engine.workflow_tool import build_workflow_tool

        return [
            build_workflow_tool(key, each, self._get_engine) for key, each in self.workflows.items()
        ]

    def _get_engine(self) -> Engine:
        if self._engine is None:
            from mastra_core.workflows import MemoryEngine

            self._engine = MemoryEngine()
        return self._engine

    def _get_runner(self) -> AgentLike:
        return self._runner or self._load_runner()

    def _load_runner(self) -> AgentLike:
        with _IMPORT_LOCK, pause_garbage_collection():
            self._runner = self._runner or self._build_runner()
            return self._runner

    def _build_runner(self) -> AgentLike:
        missing = find_missing_modules(self._list_required_modules())
        if "pydantic_ai" in missing:  # a missing provider is reported when the model is loaded
            packages = " ".join(map(repr, get_requirements(missing)))
            raise ConfigError(
                f"The agent {self.name!r} needs {' and '.join(map(repr, missing))}, which cannot "
                "be imported.",
                f"Run: pip install {packages}.",
            )
        from mastra_core.agents.loop import LoopAgent

        # The memory stores what the caller sends after the input processors, and gets after the
        # output processors. It stores nothing of a run that an input processor refuses.
        agent: AgentLike = _add_processors(LoopAgent(self), outputs=self.output_processors)
        if self.memory is not None:
            from mastra_core.memory.memory_agent import AgentWithMemory

            agent = AgentWithMemory(agent, self.memory)
        return _add_processors(agent, inputs=self.input_processors)

    def _list_required_modules(self) -> tuple[str, ...]:
        names = [model for model in self.models if isinstance(model, str)]
        if not names:
            return ("pydantic_ai",) if self.choose_model else ()
        modules = [get_provider_modules(split_model_name(name)[0] or name) for name in names]
        return tuple(dict.fromkeys(("pydantic_ai", *(each for some in modules for each in some))))


def _check_numbers(agent: str, retries: int, max_steps: int | None, timeout: float | None) -> None:
    check_count("retries", retries, least=0)
    if max_steps is not None:
        check_count("max_steps", max_steps, least=1)
    if timeout is not None:
        check_seconds(f"The timeout {timeout!r} of the agent {agent!r}", timeout)


def _as_memory(value: Any) -> Memory:
    from mastra_core.memory.memory import as_memory  # which an agent without a memory does not need

    return as_memory(value)


def _check_workflow(value: Any) -> Workflow[Any, Any]:
    from mastra_core.workflows.model.workflow import require_workflow

    return require_workflow(value)


def _add_processors(
    agent: AgentLike,
    inputs: Sequence[InputProcessor] = (),
    outputs: Sequence[OutputProcessor] = (),
) -> AgentLike:
    if not (inputs or outputs):
        return agent
    from mastra_core.agents.wrappers.processors import ProcessedAgent

    return ProcessedAgent(agent, inputs, outputs)


def _check_tool_names(agent: str, tools: Sequence[Tool]) -> None:
    seen: set[str] = set()
    for item in tools:
        if item.id in seen:
            raise ConfigError(
                f"Two tools of the agent {agent!r} have the id {item.id!r}.",
                "Give one of the tools another id.",
            )
        seen.add(item.id)
