"""Keep the connections of models open, and close them with their event loop."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncGenerator, Iterable
from contextlib import AsyncExitStack
from typing import Any

from pydantic_ai.models import Model

__all__ = ("OpenModels",)

_LOOPS: dict[asyncio.AbstractEventLoop, OpenModels] = {}


class OpenModels:
    """The open models of one event loop.

    At its end, ``asyncio.run`` cancels all tasks, and then closes all asynchronous generators.
    Models are closed by a generator, so that nothing cancels the end of their connections. Python
    would also close a generator that nothing uses any more, but in a task, and the cancellation of
    such a task may never end. Therefore this object is kept until its event loop ends.

    :param loop: the event loop.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._numbers = itertools.count()
        self._stacks: dict[int, AsyncExitStack] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._end = self._close_at_end()

    @classmethod
    async def get_current(cls) -> OpenModels:
        """Return the open models of the running event loop."""
        loop = asyncio.get_running_loop()
        if loop not in _LOOPS:
            for other in [each for each in _LOOPS if each.is_closed()]:
                del _LOOPS[other]
            _LOOPS[loop] = cls(loop)
            await _LOOPS[loop].start()
        return _LOOPS[loop]

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

        If the event loop ends before this task, the models are closed at the end of the loop.

        :param numbers: the results of ``open``.
        """
        with contextlib.suppress(RuntimeError):  # the event loop is closed
            self._loop.call_soon_threadsafe(self._start_closing, tuple(numbers))

    def _start_closing(self, numbers: Iterable[int]) -> None:
        task = self._loop.create_task(self._close(numbers))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _close(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            stack = self._stacks.pop(number, None)
            if stack is not None:
                await stack.aclose()

    async def _close_at_end(self) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            await self._close([*self._stacks])
            _LOOPS.pop(self._loop, None)
