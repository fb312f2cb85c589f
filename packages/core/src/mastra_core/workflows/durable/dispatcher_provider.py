"""Provide the dispatcher of the present event loop or request."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from mastra_core.request_scope import get_current_request, is_request_scoped
from mastra_core.workflows.durable.dispatcher import Dispatcher, DispatcherSettings, LookTimes
from mastra_core.workflows.durable.durable_run import DurableRun
from mastra_core.workflows.durable.fingerprints.known_workflows import KnownWorkflows
from mastra_core.workflows.durable.store.run_store import RunStore

if TYPE_CHECKING:
    from mastra_core.workflows.durable.request_dispatcher import RequestDispatcher

__all__ = ("DispatcherProvider",)


class DispatcherProvider:
    """Opens one dispatcher for each event loop, or for each request if its loop ends with it.

    :param store: the store.
    :param settings: the settings of the dispatchers.
    :param workflows: the workflows that this process knows.
    """

    def __init__(
        self, store: RunStore, settings: DispatcherSettings, workflows: KnownWorkflows
    ) -> None:
        self._store, self._settings, self._workflows = store, settings, workflows
        self._runs: WeakValueDictionary[int, DurableRun] = WeakValueDictionary()
        self._dispatcher: Dispatcher | None = None
        self._opening: tuple[asyncio.AbstractEventLoop, asyncio.Lock] | None = None
        self._looks = LookTimes()
        self._outside_requests: dict[Any, Any] = {}

    @property
    def present(self) -> Dispatcher | None:
        """The dispatcher of an event loop, if one is open."""
        return self._dispatcher

    async def get(self) -> Dispatcher:
        """Return the dispatcher of this event loop or request; the first call opens it.

        :raises StorageError: when the database cannot be used.
        """
        if is_request_scoped():
            return self._get_request_dispatcher()
        loop = asyncio.get_running_loop()
        if self._dispatcher is not None and self._dispatcher.loop is loop:
            return self._dispatcher
        if self._opening is None or self._opening[0] is not loop:
            self._opening = (loop, asyncio.Lock())
        async with self._opening[1]:
            if self._dispatcher is None or self._dispatcher.loop is not loop:
                dispatcher = Dispatcher(self._store, self._settings, self._workflows, self._runs)
                await dispatcher.open()
                self._dispatcher = dispatcher
            return self._dispatcher

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
            dispatcher.wake()
        return dispatcher

    async def close(self) -> None:
        """Close the store, and the dispatcher of the event loop; that of a request ends with it."""
        dispatcher, self._dispatcher = self._dispatcher, None
        if dispatcher is not None:
            await dispatcher.close()
        if dispatcher is not None or is_request_scoped():
            await self._store.close()
