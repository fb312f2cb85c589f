"""Read the changes of a task."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from typing import Any

from mastra_core.request_scope import create_signal
from mastra_server.a2a.task import Task
from mastra_server.http.heartbeats import HEARTBEAT_INTERVAL

__all__ = ("TaskReader",)


class TaskReader:
    """Reads a task and its changes, from the creation of this object to the end of the run.

    :param task: the task.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self._first = task.build()
        self._was_active = task.is_active
        self._sent = task.piece_count
        self._signal = create_signal()
        task.readers.add(self._signal)

    def close(self) -> None:
        """Stop reading the task."""
        self._task.readers.discard(self._signal)

    async def stream(self) -> AsyncGenerator[dict[str, Any] | None]:
        """Yield the task, and then its changes.

        :returns: a generator of the task and its events, in the form of version 0.3; yields
            ``None`` if the task has not changed for a long time.
        """
        yield self._first
        while self._task.is_active:
            self._signal.clear()
            end = self._task.piece_count - 1  # the last piece is marked as such
            if self._task.is_streamed and end > self._sent:
                yield self._take_text(end)
            elif not await self._wait():
                self._task.settle()
                yield None
        if self._was_active:
            for update in self._take_last_updates():
                yield update

    async def _wait(self) -> bool:
        """Wait until the task changes; return ``False`` if it does not change for a long time."""
        try:
            async with asyncio.timeout(HEARTBEAT_INTERVAL):
                await self._signal.wait()
        except TimeoutError:
            return False
        return True

    def _take_text(self, end: int) -> dict[str, Any]:
        start, self._sent = self._sent, end
        update = self._build_update(self._task.build_text_artifact(start, end))
        return {**update, "append": True} if start else update

    def _take_last_updates(self) -> Iterator[dict[str, Any]]:
        task = self._task
        if not task.is_streamed:
            for artifact in task.iter_artifacts():
                yield {**self._build_update(artifact), "lastChunk": True}
        else:
            if task.piece_count > self._sent:
                yield {**self._take_text(task.piece_count), "lastChunk": not task.has_object}
            if task.has_object:
                yield {**self._build_update(task.build_object_artifact()), "lastChunk": True}
        yield {
            "kind": "status-update",
            "taskId": task.id,
            "contextId": task.context_id,
            "status": task.build_status(),
            "final": True,
        }

    def _build_update(self, artifact: dict[str, Any]) -> dict[str, Any]:
        return {
            "kind": "artifact-update",
            "taskId": self._task.id,
            "contextId": self._task.context_id,
            "lastChunk": False,
            "artifact": artifact,
        }
