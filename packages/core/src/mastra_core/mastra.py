"""The application object: agents, workflows, tools and settings, by name."""

from __future__ import annotations

import inspect
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from mastra_core.agents.adapt import as_agent
from mastra_core.agents.agent_tree import get_parts, iter_agents
from mastra_core.agents.protocol import AgentLike
from mastra_core.agents.suspended_runs import SuspendedRuns
from mastra_core.agents.wrappers.agent_wrapper import AgentWrapper
from mastra_core.agents.wrappers.capabilities import Capabilities
from mastra_core.agents.wrappers.registered_agent import AgentWithOptions, RegisteredAgent
from mastra_core.arguments.argument_types import check_types
from mastra_core.errors import ConfigError
from mastra_core.logger import create_logger
from mastra_core.memory.memory import Memory, as_memory
from mastra_core.memory.memory_agent import AgentWithMemory, get_memory
from mastra_core.registry import Registry
from mastra_core.request_scope import is_request_scoped
from mastra_core.server import (
    Middleware,
    Server,
    as_middleware,
    as_server,
    from_mapping,
)
from mastra_core.storage.coerce_storage import as_storage
from mastra_core.storage.protocol import Storage
from mastra_core.telemetry import Telemetry
from mastra_core.tools import Tool, as_tool
from mastra_core.workflows.engine.coerce_engine import as_engine
from mastra_core.workflows.engine.protocol import Engine
from mastra_core.workflows.model.workflow import Workflow, require_workflow

if TYPE_CHECKING:
    from mastra_core.durable_agents import DurableAgent
    from mastra_core.workflows.durable.durable_engine import DurableEngine

__all__ = ("Mastra",)


class Mastra:
    """An application: agents, workflows, tools, and the settings of its server.

    Nested settings are dataclasses or plain mappings with the same keys.

    :param agents: the agents by registration key: each an ``Agent``, a function, or an agent of
        another framework.
    :param workflows: by registration key.
    :param tools: by registration key; a ``Tool`` or a typed function.
    :param logger: a logger of ``create_logger`` or the standard library; ``False`` logs nothing.
    :param telemetry: ``Telemetry(...)``; without it nothing is traced.
    :param memory: the memory of every agent that has none of its own.
    :param storage: the storage in which threads and suspended runs are stored:
        ``SqliteStorage("app.db")``, its URL (``"sqlite:///app.db"``, ``"d1:BINDING"``), or any
        object with the ``Storage`` protocol; in this process by default.
    :param engine: where runs of workflows and of built-in agents are stored: ``"memory"``, the
        default, in this process; ``"durable"`` in the database that ``MASTRA_DATABASE_URL`` names;
        or an engine.
    :param server: ``Server(...)``.
    :param server_middleware: callables, or ``{"handler": ..., "path": "/api/*"}``.
    :param deployer: settings of the deployer that ``mastra deploy`` uses. ``mastra deploy`` reads
        these settings from the source code, and no bundle contains them.
    :raises ConfigError: for an invalid or duplicate name, or a value of the wrong type.
    """

    def __init__(
        self,
        *,
        agents: Mapping[str, Any] | None = None,
        workflows: Mapping[str, Workflow] | None = None,
        tools: Mapping[str, Any] | None = None,
        logger: logging.Logger | bool | None = None,
        telemetry: Telemetry | Mapping[str, Any] | None = None,
        memory: Memory | Mapping[str, Any] | None = None,
        storage: Storage | str | None = None,
        engine: Engine | str | None = None,
        server: Server | Mapping[str, Any] | None = None,
        server_middleware: Sequence[Any] = (),
        deployer: Any = None,
    ) -> None:
        check_types(locals(), Mastra.__init__.__annotations__)
        self.storage: Storage = as_storage(storage)
        self.memory: Memory | None = None if memory is None else as_memory(memory)
        built = {key: self._attach_memory(agent) for key, agent in _build_agents(agents).items()}
        self.workflows: Registry[Workflow] = Registry(
            "workflow", _convert_each(workflows, require_workflow)
        )
        self.tools: Registry[Tool] = Registry("tool", _convert_each(tools, as_tool))
        self.logger = _as_logger(logger)
        self.telemetry = (
            None if telemetry is None else from_mapping(Telemetry, telemetry, "telemetry")
        )
        own_workflows = _list_agent_workflows(built.values(), self.workflows.values())
        self.engine: Engine = as_engine(
            engine,
            (*self.workflows.values(), *own_workflows),
            has_durable_agents=any(Capabilities(agent).durable for agent in built.values()),
        )
        for agent in built.values():
            if (use_engine := Capabilities(agent).use_engine) is not None:
                use_engine(self.engine)
        self.suspended_runs: SuspendedRuns = self.storage.suspended_runs
        self.agent_workflows: tuple[Workflow, ...] = own_workflows
        self.durable_agents: Mapping[str, DurableAgent] = {}  # by id
        self.agents: Registry[AgentLike] = Registry("agent", self._make_durable(built))
        self.server = as_server(server)
        self.server_middleware: tuple[Middleware, ...] = tuple(
            as_middleware(item, self.server.api_prefix) for item in server_middleware
        )
        self.deployer = deployer

    @property
    def durable_engine(self) -> DurableEngine | None:
        """The engine that stores runs in a database; ``None`` if there is no such engine."""
        engine: DurableEngine | None = getattr(self.engine, "durable_engine", None)
        return engine

    def get_agent(self, name: str) -> RegisteredAgent:
        """Return the agent with a registration key or id.

        Agents of all frameworks can be called with a text, and with the options of one run.

        :param name: the registration key or the id.
        :raises NotFound: when there is no such agent.
        """
        return cast("RegisteredAgent", self.agents.find(name))

    def get_workflow(self, name: str) -> Workflow:
        """Return the workflow with a registration key or id.

        :param name: the registration key or the id.
        :raises NotFound: when there is no such workflow.
        """
        return self.workflows.find(name)

    def get_tool(self, name: str) -> Tool:
        """Return the tool with a registration key or id.

        :param name: the registration key or the id.
        :raises NotFound: when there is no such tool.
        """
        return self.tools.find(name)

    def _attach_memory(self, agent: AgentLike) -> AgentLike:
        """Return ``agent`` with a memory: its own, or else the memory of this application."""
        if self.memory is not None and get_memory(agent) is None:
            agent = _add_memory(agent, self.memory)
        memory = get_memory(agent)
        if memory is not None:
            memory.use_storage(self.storage)
        takes_options = isinstance(agent, AgentWrapper) or Capabilities(agent).takes_options
        return agent if takes_options else AgentWithOptions(agent)

    def _make_durable(self, agents: dict[str, AgentLike]) -> dict[str, AgentLike]:
        """Return the agents, with durable agents wrapped so that the engine stores their runs."""
        by_default = self.durable_engine is self.engine and not is_request_scoped()
        chosen = {key: each for key, each in agents.items() if _is_durable(each, by_default)}
        if not chosen:
            return agents
        from mastra_core.durable_agents import DurableAgent, SuspendedRunRouter

        durable = {key: DurableAgent(agent, self.engine) for key, agent in chosen.items()}
        self.durable_agents = {agent.id: agent for agent in durable.values()}
        self.suspended_runs = SuspendedRunRouter(self.storage.suspended_runs, self.durable_agents)
        self.agent_workflows += tuple(agent.workflow for agent in self.durable_agents.values())
        return {**agents, **durable}


def _add_memory(agent: AgentLike, memory: Memory) -> AgentLike:
    capabilities = Capabilities(agent)
    if capabilities.replace_memory is None or not capabilities.input_processors:
        return AgentWithMemory(agent, memory)
    return capabilities.replace_memory(memory)  # the memory comes after the input processors


def _is_durable(agent: AgentLike, by_default: bool) -> bool:
    """Return whether the runs of an agent are stored."""
    own = Capabilities(agent).durable
    return by_default if own is None else bool(own)


def _convert_each(items: Mapping[str, Any] | None, convert: Any) -> dict[str, Any]:
    return {key: convert(value) for key, value in (items or {}).items()}


def _build_agents(items: Mapping[str, Any] | None) -> dict[str, Any]:
    """Convert each value to an agent; an agent without an id gets its registration key as the id.

    The id of a plain function is its ``__name__``. If another agent has the same id or key, the
    function's registration key becomes its id. Functions of several modules often have the same
    name.
    """
    agents = _convert_each(items, as_agent)
    names = Counter(name for key, agent in agents.items() for name in {key, agent.id})
    for key, agent in agents.items():
        if not agent.id or (inspect.isroutine((items or {})[key]) and names[agent.id] > 1):
            agent.id = agent.name = key
    return agents


def _list_agent_workflows(
    agents: Iterable[Any], workflows: Iterable[Workflow]
) -> tuple[Workflow, ...]:
    """Return the workflows that agents can run, except ``workflows``."""
    known = {workflow.id for workflow in workflows}
    found: dict[str, Workflow] = {}
    for agent in iter_agents(agents):
        found |= {each.id: each for each in get_parts(agent, "workflows", Workflow)}
    return tuple(each for id_, each in found.items() if id_ not in known)


def _as_logger(value: logging.Logger | bool | None) -> logging.Logger:
    if isinstance(value, logging.Logger):
        return value
    if value is None or value is True:
        return create_logger()
    if value is False:
        return create_logger(level="silent")
    raise ConfigError(f"{value!r} is not a logger.", "Pass create_logger(name=..., level=...).")
