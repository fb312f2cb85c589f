"""Keep the connections of models open, and close them with their event loop."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import logging
from collections.abc import AsyncGenerator, Iterable
from contextlib import AsyncExitStack
from typing import Any

from pydantic_ai.models import Model

__all__ = ("OpenModels",)

_CLOSE_DELAY = 1.0  # seconds
_logger = logging.getLogger(__name__)
_by_loop: dict[asyncio.AbstractEventLoop, OpenModels] = {}


class OpenModels:
    """The open models of one event loop.

    At its end, ``asyncio.run`` cancels all tasks, and then closes all asynchronous generators.
    Models are closed by a generator, so that nothing cancels the end of their connections. Python
    would also close a generator that nothing uses any more, but in a task, and the cancellation of
    such a task may never end. Therefore this object is kept until its event loop ends.

    The attribute ``is_closed`` tells whether the event loop has closed its models.

    :param loop: the event loop.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.is_closed = False
        self._numbers = itertools.count()
        self._stacks: dict[int, AsyncExitStack] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._end = self._close_at_end()

    @classmethod
    async def get_current(cls) -> OpenModels:
        """Return the open models of the running event loop."""
        loop = asyncio.get_running_loop()
        if loop not in _by_loop:
            for other in [*_by_loop]:  # other threads change the mapping
                if other.is_closed():
                    _by_loop.pop(other, None)
            _by_loop[loop] = cls(loop)
            await _by_loop[loop].start()
        return _by_loop[loop]

    async def start(self) -> None:
        """Let the end of the event loop close the models."""
        await anext(self._end)

    async def open(self, model: Model, client: Any) -> int:
        """Open a model; return the number with which ``close_soon`` closes the model.

        :param model: the model.
        :param client: the HTTP client of the model; ``None`` if the model closes its own client.
        """
        async with AsyncExitStack() as stack:
            if client is not None:
                stack.push_async_callback(client.aclose)
            await stack.enter_async_context(model)
            number = next(self._numbers)
            self._stacks[number] = stack.pop_all()
        return number

    def close_soon(self, numbers: Iterable[int]) -> None:
        """Close models in a task of the event loop; may be called in any thread.

        The task starts after a second. If the event loop ends before, its end closes the models.
        Therefore the end of a short program rarely cancels the task.

        :param numbers: the results of ``open``.
        """
        start = functools.partial(self._start_closing, tuple(numbers))
        with contextlib.suppress(RuntimeError):  # the event loop is closed
            self._loop.call_soon_threadsafe(self._loop.call_later, _CLOSE_DELAY, start)

    def _start_closing(self, numbers: Iterable[int]) -> None:
        task = self._loop.create_task(self._close(numbers))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _close(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            stack = self._stacks.pop(number, None)
            try:
                if stack is not None:
                    await stack.aclose()
            except Exception:  # noqa: BLE001  # the other models must be closed, too
                _logger.warning("The connections of a model could not be closed.", exc_info=True)

    async def _close_at_end(self) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            self.is_closed = True
            _by_loop.pop(self._loop, None)
            await self._close([*self._stacks])
