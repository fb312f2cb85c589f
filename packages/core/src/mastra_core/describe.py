"""Describe an application as data.

A build compares the description of the source with the description of the bundle.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from mastra_core.agents.protocol import AgentLike
from mastra_core.agents.providers import (
    find_missing_modules,
    list_model_modules,
    split_model_name,
)
from mastra_core.agents.wrappers.capabilities import Capabilities
from mastra_core.mastra import Mastra
from mastra_core.memory.memory_agent import get_memory
from mastra_core.server import Server
from mastra_core.telemetry.otel_environment import is_sdk_disabled
from mastra_core.workflows.model.suspend_calls import iter_suspending_steps

__all__ = ("describe", "find_missing_extras", "find_missing_providers")

_DRAIN_TIMEOUT = 5  # seconds
_DEV_DRAIN_TIMEOUT = 300  # in development, nothing waits for the process to end


def describe(mastra: Mastra) -> dict[str, Any]:
    """Describe all registered objects and the needs of the server.

    :param mastra: the application.
    :returns: JSON builtins.
    """
    return {
        "agents": {key: agent.id for key, agent in mastra.agents.items()},
        "workflows": {key: workflow.id for key, workflow in mastra.workflows.items()},
        "tools": {key: item.id for key, item in mastra.tools.items()},
        "variables": {
            key: list(names)
            for key, agent in mastra.agents.items()
            if (names := _get_variables(agent))
        },
        "suspending_steps": _list_suspending_steps(mastra),
        "run_database": _get_run_database(mastra),
        "model_modules": _list_model_modules(mastra),
        "middleware": len(mastra.server_middleware),
        "serve": {
            "host": mastra.server.host,
            "port": mastra.server.port,
            "drain": _get_drain_timeout(mastra),
            "proxies": list(mastra.server.trusted_proxies),
            "api_prefix": mastra.server.api_prefix,
            "single_process": _is_single_process(mastra),
            "per_process": _list_per_process(mastra.server),
            "shares_responses": getattr(mastra.storage, "responses", None) is not None,
            "body_limit": _get_own_value(mastra.server, "body_limit") or 0,
            "timeouts": _list_timeouts(mastra),
        },
    }


def find_missing_providers(mastra: Mastra) -> dict[str, list[str]]:
    """Find agents whose framework or model provider cannot be imported.

    :param mastra: the application.
    :returns: registration keys, mapped to the missing modules.
    """
    missing: dict[str, list[str]] = {}
    for key, agent in mastra.agents.items():
        modules = find_missing_modules(getattr(agent.info(), "requires", ()))
        if modules:
            missing[key] = modules
    return missing


def find_missing_extras(mastra: Mastra) -> dict[str, list[str]]:
    """Find extras of ``mastra-core`` without which the server does not start.

    :param mastra: the application.
    :returns: names of the extras, mapped to the missing modules.
    """
    needed: dict[str, tuple[str, ...]] = {}
    exports = mastra.telemetry is not None and mastra.telemetry.enabled
    if (exports or mastra.server.traces) and not is_sdk_disabled():
        needed["telemetry"] = ("opentelemetry.sdk",)
    if _uses_postgres(mastra):
        needed["postgres"] = ("psycopg", "psycopg_pool")
    found = {extra: find_missing_modules(modules) for extra, modules in needed.items()}
    return {extra: missing for extra, missing in found.items() if missing}


def _uses_postgres(mastra: Mastra) -> bool:
    """Return whether the storage or the engine opens a PostgreSQL database at the start."""
    storage: str = getattr(getattr(mastra.storage, "url", None), "kind", "")
    engine = _get_run_database(mastra)
    if engine == "variable" and os.environ.get("MASTRA_DATABASE_URL", "").startswith("postgres"):
        return True
    return "postgresql" in (storage, engine)


def _get_drain_timeout(mastra: Mastra) -> float:
    """Return the seconds for running requests at shutdown; ``mastra dev`` has its own default."""
    if mastra.server.drain_timeout is not None:
        return mastra.server.drain_timeout
    return _DEV_DRAIN_TIMEOUT if os.environ.get("MASTRA_DEV") == "true" else _DRAIN_TIMEOUT


def _list_timeouts(mastra: Mastra) -> dict[str, float]:
    """Return the timeouts that the app sets itself, by the name of the setting."""
    timeouts = {
        f"Server({name}=...)": _get_own_value(mastra.server, name)
        for name in ("timeout", "run_timeout")
    }
    timeouts |= {
        f"The timeout of the agent {key!r}": Capabilities(agent).timeout
        for key, agent in mastra.agents.items()
    }
    return {name: value for name, value in timeouts.items() if isinstance(value, int | float)}


def _get_own_value(server: Server, name: str) -> Any:
    """Return the value of a server setting, or ``None`` if the value is the default."""
    value = getattr(server, name)
    return None if value == getattr(Server, name) else value


def _is_single_process(mastra: Mastra) -> bool:
    """Return whether the app keeps some runs or threads only in the memory of its process."""
    agents = mastra.agents.values()
    memories = [memory for agent in agents if (memory := get_memory(agent))]
    others = [agent for agent in agents if agent.id not in mastra.durable_agents]
    return (
        (bool(mastra.workflows) and mastra.engine.single_process)
        or any(memory.storage.single_process for memory in memories)
        or (mastra.storage.single_process and any(map(_may_suspend, others)))
        or any(Capabilities(agent).single_process for agent in agents)
    )


def _may_suspend(agent: AgentLike) -> bool:
    """Return whether runs of an agent may wait for approvals; a caller may also require them."""
    info = agent.info()
    return bool(getattr(info, "tools", ()) or getattr(info, "agents", ()))


def _list_per_process(server: Server) -> list[str]:
    """Return the settings whose data each process keeps for itself."""
    found = [
        f"Server({name}=True)" for name in ("logs", "metrics", "traces") if getattr(server, name)
    ]
    if server.rate_limit is not None and server.rate_limit.is_in_memory:
        found.append("Server(rate_limit=...)")
    return found


def _list_suspending_steps(mastra: Mastra) -> dict[str, list[str]]:
    """Return suspending steps by workflow, or nothing if several processes share the runs."""
    if not mastra.engine.single_process:
        return {}
    steps = {key: list(iter_suspending_steps(each)) for key, each in mastra.workflows.items()}
    return {key: paths for key, paths in steps.items() if paths}


def _get_run_database(mastra: Mastra) -> str:
    """Return the kind of the database that keeps workflow runs; empty without workflows."""
    if not mastra.workflows:
        return ""
    durable = mastra.durable_engine
    if durable is not None:
        return durable.database
    return "memory" if mastra.engine.single_process else "other"


def _list_model_modules(mastra: Mastra) -> list[str]:
    """Return the modules that agents import when they first call their models."""
    pending: list[Any] = list(mastra.agents.values())
    visited: dict[int, Any] = {}  # with the objects themselves, because ids are used again
    found: set[str] = set()
    while pending:
        agent = pending.pop()
        if id(agent) in visited or not hasattr(agent, "info"):
            continue
        visited[id(agent)] = agent
        info = agent.info()  # an agent of another framework may answer with anything
        provider, requires = getattr(info, "provider", ""), getattr(info, "requires", ())
        names = requires if isinstance(requires, list | tuple) else ()
        found.update(list_model_modules(provider if isinstance(provider, str) else "", names))
        models = Capabilities(agent).models
        for model in models if isinstance(models, tuple) else ():  # of fallbacks, too
            found.update(list_model_modules(split_model_name(model)[0]))
        inner = getattr(info, "agents", {})
        pending += inner.values() if isinstance(inner, Mapping) else ()
    return sorted(found)


def _get_variables(agent: AgentLike) -> Sequence[str]:
    # An agent of another framework may answer with less than an AgentInfo.
    return getattr(agent.info(), "variables", ())
