"""The one object a user makes: everything the application has, by name."""

from __future__ import annotations

import inspect
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from mastra_core.agents.adapt import as_agent
from mastra_core.agents.protocol import AgentLike
from mastra_core.agents.suspended_runs import SuspendedRuns
from mastra_core.errors import ConfigError
from mastra_core.logger import create_logger
from mastra_core.memory.memory import Memory, as_memory
from mastra_core.memory.memory_agent import RememberingAgent, memory_of
from mastra_core.registry import Registry
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
from mastra_core.workflows.engine.memory_engine import MemoryEngine
from mastra_core.workflows.engine.protocol import Engine
from mastra_core.workflows.model.workflow import Workflow

__all__ = ("Mastra",)


class Mastra:
    """An application: agents, workflows and tools, and how they are served.

    Nested settings are dataclasses or plain mappings with the same keys.

    :param agents: by registration key; an ``Agent``, a function, or another framework's agent.
    :param workflows: by registration key.
    :param tools: by registration key; a ``Tool`` or a typed function.
    :param logger: of ``create_logger`` or the standard library; ``False`` for silence.
    :param telemetry: ``Telemetry(...)``; nothing is traced without it.
    :param memory: what agents without a memory of their own remember of conversations.
    :param storage: where it is kept: ``SqliteStorage("app.db")``, the URL of one
        (``"sqlite:///app.db"``), or anybody's; in this process by default.
    :param engine: where workflow runs live; in this process by default.
    :param server: ``Server(...)``.
    :param server_middleware: callables, or ``{"handler": ..., "path": "/api/*"}``.
    :param deployer: settings of the deployer that ``mastra deploy`` uses; it is read from the
        source and never reaches a bundle.
    :raises ConfigError: for a bad or duplicate name, or a value of the wrong kind.
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
        engine: Engine | None = None,
        server: Server | Mapping[str, Any] | None = None,
        server_middleware: Sequence[Any] = (),
        deployer: Any = None,
    ) -> None:
        self.storage: Storage = as_storage(storage)
        self.memory: Memory | None = None if memory is None else as_memory(memory)
        self.agents: Registry[AgentLike] = Registry(
            "agent", {key: self._remembering(agent) for key, agent in _agents(agents).items()}
        )
        self.workflows: Registry[Workflow] = Registry(
            "workflow", _each(workflows, "workflows", _as_workflow)
        )
        self.tools: Registry[Tool] = Registry("tool", _each(tools, "tools", as_tool))
        self.logger = _as_logger(logger)
        self.telemetry = (
            None if telemetry is None else from_mapping(Telemetry, telemetry, "telemetry")
        )
        self.engine: Engine = engine or MemoryEngine()
        self.suspended_runs: SuspendedRuns = self.storage.suspended_runs
        self.server = as_server(server)
        self.server_middleware: tuple[Middleware, ...] = tuple(
            as_middleware(item, self.server.api_prefix) for item in server_middleware
        )
        self.deployer = deployer

    def get_agent(self, name: str) -> AgentLike:
        """The agent of that registration key or id.

        :raises NotFound: when there is none.
        """
        return self.agents.find(name)

    def get_workflow(self, name: str) -> Workflow:
        """The workflow of that registration key or id.

        :raises NotFound: when there is none.
        """
        return self.workflows.find(name)

    def get_tool(self, name: str) -> Tool:
        """The tool of that registration key or id.

        :raises NotFound: when there is none.
        """
        return self.tools.find(name)

    def _remembering(self, agent: AgentLike) -> AgentLike:
        """``agent`` with its own memory, else with that of this application if it has one."""
        if self.memory is not None and memory_of(agent) is None:
            agent = RememberingAgent(agent, self.memory)
        memory = memory_of(agent)
        if memory is not None:
            memory.use(self.storage)
        return agent


def _each(items: Mapping[str, Any] | None, what: str, make: Any) -> dict[str, Any]:
    if items is None:
        return {}
    if not isinstance(items, Mapping):
        raise ConfigError(
            f"{what} is {type(items).__name__}.", f'Pass a mapping: {what}={{"name": ...}}.'
        )
    return {key: make(value) for key, value in items.items()}


def _agents(items: Mapping[str, Any] | None) -> dict[str, Any]:
    """Agents by key; one that nobody named goes by its key.

    So does a plain function whose ``__name__`` is taken: modules often call theirs the same.
    """
    agents = _each(items, "agents", as_agent)
    names = Counter(name for key, agent in agents.items() for name in {key, agent.id})
    for key, agent in agents.items():
        if not agent.id or (inspect.isroutine((items or {})[key]) and names[agent.id] > 1):
            agent.id = agent.name = key
    return agents


def _as_workflow(value: Any) -> Workflow:
    if not isinstance(value, Workflow):
        raise ConfigError(f"{value!r} is not a workflow.", "Make one: Workflow('id').then(step).")
    if not value.nodes:
        raise ConfigError(f"Workflow {value.id!r} has no steps.", "Add one: .then(step).")
    value.check()
    return value


def _as_logger(value: logging.Logger | bool | None) -> logging.Logger:
    if isinstance(value, logging.Logger):
        return value
    if value is None or value is True:
        return create_logger()
    if value is False:
        return create_logger(level="silent")
    raise ConfigError(f"The logger is {value!r}.", "Pass create_logger(name=..., level=...).")
