"""Provide the dispatcher of the present event loop or request."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakValueDictionary

from mastra_core.freezing import freezes_between_requests
from mastra_core.request_scope import get_current_request, is_request_scoped
from mastra_core.workflows.durable.dispatcher import Dispatcher, DispatcherSettings, LookTimes
from mastra_core.workflows.durable.durable_run import DurableRun
from mastra_core.workflows.durable.fingerprints.known_workflows import KnownWorkflows
from mastra_core.workflows.durable.process_dispatcher import ProcessDispatcher
from mastra_core.workflows.durable.store.run_store import RunStore

if TYPE_CHECKING:
    from mastra_core.workflows.durable.request_dispatcher import RequestDispatcher

__all__ = ("DispatcherProvider",)


class DispatcherProvider:
    """Opens one dispatcher for each event loop, or for each request on platforms with request
    scope.

    :param store: the store.
    :param settings: the settings of the dispatchers.
    :param workflows: the workflows that this process knows.
    """

    def __init__(
        self, store: RunStore, settings: DispatcherSettings, workflows: KnownWorkflows
    ) -> None:
        self._store, self._settings, self._workflows = store, settings, workflows
        self._runs: WeakValueDictionary[int, DurableRun] = WeakValueDictionary()
        self._dispatchers: dict[asyncio.AbstractEventLoop, ProcessDispatcher] = {}
        self._opening: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock]
        self._opening = WeakKeyDictionary()
        self._looks = LookTimes()
        self._outside_requests: dict[Any, Any] = {}

    @property
    def present(self) -> Dispatcher | None:
        """The dispatcher that was opened first; ``None`` if no dispatcher is open."""
        return next(iter(self._dispatchers.values()), None)

    async def get(self) -> Dispatcher:
        """Return the dispatcher of this event loop or request; the first call opens it.

        :raises StorageError: when the database cannot be used.
        """
        if is_request_scoped():
            return self._get_request_dispatcher()
        loop = asyncio.get_running_loop()
        if loop in self._dispatchers:
            return self._dispatchers[loop]
        for other in [each for each in self._dispatchers if each.is_closed()]:
            self._dispatchers.pop(other, None)
        async with self._opening.setdefault(loop, asyncio.Lock()):
            if loop not in self._dispatchers:
                dispatcher = self._create_dispatcher()
                await dispatcher.open()
                self._dispatchers[loop] = dispatcher
            return self._dispatchers[loop]

    def _create_dispatcher(self) -> ProcessDispatcher:
        parts = (self._store, self._settings, self._workflows, self._runs)
        if not freezes_between_requests() or self._store.single_process:
            return ProcessDispatcher(*parts)
        from mastra_core.workflows.durable.freezable_dispatcher import FreezableDispatcher

        return FreezableDispatcher(*parts)

    def _get_request_dispatcher(self) -> RequestDispatcher:
        """Return the dispatcher of the current request; the first call in a request creates it."""
        from mastra_core.workflows.durable.request_dispatcher import RequestDispatcher

        request = get_current_request()
        values = self._outside_requests if request is None else request.values
        dispatcher: RequestDispatcher | None = values.get(self)
        if dispatcher is None or not dispatcher.is_usable:
            dispatcher = values[self] = RequestDispatcher(
                self._store, self._settings, self._workflows, self._looks
            )
            dispatcher.look_soon()
        return dispatcher

    async def close(self) -> None:
        """Close the store and the dispatchers of event loops; those of requests stay open."""
        dispatchers, self._dispatchers = [*self._dispatchers.values()], {}
        for dispatcher in dispatchers:
            await dispatcher.close()
        if dispatchers or is_request_scoped():
            await self._store.close()
