"""Conversion of a setting to an engine."""

from __future__ import annotations

from typing import Any

from mastra_core.errors import ConfigError
from mastra_core.workflows.engine.memory_engine import MemoryEngine
from mastra_core.workflows.engine.protocol import Engine

__all__ = ("as_engine",)


def as_engine(value: Any) -> Engine:
    """Convert a value to an engine.

    :param value: an engine, ``"memory"``, ``"durable"``, or ``None`` for an engine in this process.
    :raises ConfigError: for any other text, or if ``MASTRA_DATABASE_URL`` is invalid.
    """
    if value is None or value == "memory":
        return MemoryEngine()
    if value == "durable":
        from mastra_core.workflows.durable.durable_engine import DurableEngine

        return DurableEngine()
    if isinstance(value, str):
        raise ConfigError(
            f"The engine {value!r} is unknown.",
            'Pass engine="memory", engine="durable", or an object like DurableEngine("app.db").',
        )
    engine: Engine = value
    return engine
