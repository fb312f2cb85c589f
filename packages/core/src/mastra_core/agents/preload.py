"""Import the modules of the registered agents before the first request."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

from mastra_core.agents.wrappers.capabilities import Capabilities
from mastra_core.logger import get_logger

__all__ = ("pause_garbage_collection", "preload", "preload_agents")


class _Application(Protocol):
    """The part of ``Mastra`` that this module needs; an import of ``Mastra`` would be circular."""

    @property
    def agents(self) -> Mapping[str, Any]:
        """The registered agents by key."""


def preload(mastra: _Application) -> None:
    """Import the frameworks and the model clients of all registered agents.

    Without this function, the first call of each agent imports its framework and clients. No
    network is used, and no model is created. If an agent cannot be prepared, its first call reports
    the error.

    :param mastra: the application.
    """
    with pause_garbage_collection():
        preload_agents(mastra.agents.values())


@contextlib.contextmanager
def pause_garbage_collection() -> Iterator[None]:
    """Run a block that imports large packages without garbage collection.

    Almost all objects that an import creates remain in use, so garbage collection would find
    nothing, and add a tenth to the time of the import.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def preload_agents(agents: Iterable[Any]) -> None:
    """Call ``preload`` of each agent that has this method.

    :param agents: agents of any framework.
    """
    for agent in agents:
        prepare = Capabilities(agent).preload
        if prepare is None:
            continue
        try:
            prepare()
        except Exception as error:  # noqa: BLE001  # packages may raise anything at import
            get_logger("mastra.agents").debug("agent not preloaded", exc_info=error)
