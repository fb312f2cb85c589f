"""Convert a setting to an engine."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mastra_core.errors import ConfigError
from mastra_core.workflows.engine.memory_engine import MemoryEngine
from mastra_core.workflows.engine.protocol import Engine
from mastra_core.workflows.model.workflow import Workflow

__all__ = ("as_engine",)


def as_engine(
    value: Any, workflows: Iterable[Workflow] = (), *, has_durable_agents: bool = False
) -> Engine:
    """Convert a value to an engine.

    :param value: an engine, ``"memory"``, ``"durable"``, or ``None`` for an engine in this process.
    :param workflows: the workflows. A durable engine executes workflows with ``durable=True`` even
        if ``value`` is an engine in this process.
    :param has_durable_agents: whether agents need a durable engine.
    :raises ConfigError: for any other value, or if ``MASTRA_DATABASE_URL`` is invalid.
    """
    if value is None or value == "memory":
        value = MemoryEngine()
    if value == "durable":
        from mastra_core.workflows.durable.durable_engine import DurableEngine

        return DurableEngine()
    if not hasattr(value, "single_process"):
        raise _build_error(value)
    engine: Engine = value
    workflows = [*workflows]
    needs_durable = has_durable_agents or any(workflow.durable for workflow in workflows)
    if engine.single_process and needs_durable:
        from mastra_core.workflows.durable.durable_engine import DurableEngine
        from mastra_core.workflows.durable.mixed_engine import MixedEngine

        if isinstance(engine, DurableEngine):
            return engine
        _check_children(workflows)
        return MixedEngine(DurableEngine(), engine)
    return engine


def _build_error(value: Any) -> ConfigError:
    hint = 'Pass engine="memory", engine="durable" or DurableEngine("sqlite:///app.db").'
    if not isinstance(value, str):
        return ConfigError(f"A {type(value).__name__!r} is no engine.", hint)
    from mastra_core.database.url import mask_url  # a URL may contain a password

    return ConfigError(f"The engine {mask_url(value)!r} is unknown.", hint)


def _check_children(workflows: Iterable[Workflow]) -> None:
    """Check that workflows start runs of durable workflows only."""
    durable = {workflow.id: workflow.durable for workflow in workflows}
    for workflow in workflows:
        for child in (each for step in workflow.iter_steps() for each in step.list_children()):
            if not durable.get(child.id, True):
                raise ConfigError(
                    f"The workflow {workflow.id!r} starts runs of {child.id!r}, but {child.id!r} "
                    "is not durable.",
                    f"Write Workflow({child.id!r}, durable=True).",
                )
