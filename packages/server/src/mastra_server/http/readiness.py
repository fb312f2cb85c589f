"""Check whether the databases of the application answer, at most once a second."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from mastra_core.errors import MastraError, StorageError
from mastra_core.logger import get_logger
from mastra_core.request_scope import is_request_scoped

if TYPE_CHECKING:
    from mastra_core import Mastra

__all__ = ("DatabaseChecks",)

_INTERVAL = 1.0  # seconds for which a result is used again
_TIMEOUT = 0.8  # seconds; load balancers often wait for one second


class DatabaseChecks:
    """Checks the storage, if it has a method ``check``, and the database of the engine.

    Anybody may request ``/ready``, so all requests of a second share one check. On platforms where
    tasks belong to a request, nothing is checked.

    :param mastra: the application.
    """

    def __init__(self, mastra: Mastra) -> None:
        resources: tuple[Any, ...] = (mastra.storage, mastra.durable_engine)
        self._checks = [each.check for each in resources if hasattr(each, "check")]
        if is_request_scoped():
            self._checks.clear()
        self._pending: set[asyncio.Task[None]] = set()
        self._lock = asyncio.Lock()
        self._has_passed = True
        self._next = 0.0

    async def pass_all(self) -> bool:
        """Return whether each database answers, as measured at most a second ago."""
        if not self._checks:
            return True
        async with self._lock:
            if time.monotonic() >= self._next:
                error = await self._find_error()
                self._report(error)
                self._has_passed = error is None
                self._next = time.monotonic() + _INTERVAL
        return self._has_passed

    async def _find_error(self) -> MastraError | None:
        """Return the reason why a database cannot be used; ``None`` if each database answers."""
        tasks = {asyncio.ensure_future(check()) for check in self._checks}
        self._pending |= tasks
        for task in tasks:
            task.add_done_callback(self._forget)
        # A check that waits for a lost connection may end many seconds later.
        done, pending = await asyncio.wait(tasks, timeout=_TIMEOUT)
        for task in done:
            if isinstance(error := task.exception(), MastraError):
                return error
            if error is not None:
                raise error
        return StorageError("The database does not answer.") if pending else None

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._pending.discard(task)
        if not task.cancelled():
            task.exception()  # reported already, or by a later check

    def _report(self, error: MastraError | None) -> None:
        logger = get_logger("mastra.server")
        if error is not None and self._has_passed:
            logger.error("the server is not ready: %s", error)
        elif error is None and not self._has_passed:
            logger.info("the server is ready again")
