"""Wait for a storage that cannot be used at the moment."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from mastra_core.agents.messages import AgentInput
from mastra_core.errors import StorageError
from mastra_core.logger import get_logger

__all__ = ("read_during_outage", "write_during_outage")

T = TypeVar("T")
# Seconds for which a call is repeated. A caller waits for a run that is not durable. Nobody has to
# wait for a durable run, but a storage that never works again must not keep it from its end.
_MAX_WAIT = 30.0  # one call may take half of it during an outage
_MAX_DURABLE_WAIT = 3600.0
_MIN_DELAY, _MAX_DELAY = 0.05, 2.0  # seconds between two calls


async def read_during_outage(run_input: AgentInput, call: Callable[[], Awaitable[T]]) -> T:
    """Await a call that reads; repeat it during an outage if the run is durable.

    The caller of a run that is not durable gets the error at once, and can send the run again.

    :param run_input: the input of the run.
    :param call: the call.
    :raises StorageError: when the storage cannot be used.
    """
    return await _repeat(run_input, call, 0 if run_input.journal is None else _MAX_DURABLE_WAIT)


async def write_during_outage(run_input: AgentInput, call: Callable[[], Awaitable[T]]) -> T:
    """Await a call that writes; repeat it during an outage.

    :param run_input: the input of the run.
    :param call: the call, whose repetition does no harm.
    :raises StorageError: when the storage cannot be used for a long time.
    """
    is_durable = run_input.journal is not None
    return await _repeat(run_input, call, _MAX_DURABLE_WAIT if is_durable else _MAX_WAIT)


async def _repeat(run_input: AgentInput, call: Callable[[], Awaitable[T]], seconds: float) -> T:
    import asyncio
    import time

    deadline, delay = time.monotonic() + seconds, _MIN_DELAY
    while True:
        try:
            return await call()
        except StorageError as error:
            if time.monotonic() + delay > deadline:
                raise
            get_logger("mastra.memory").warning(
                "a run of the thread %r waits for its storage: %s", run_input.thread, error
            )
        await asyncio.sleep(delay)
        delay = min(2 * delay, _MAX_DELAY)
