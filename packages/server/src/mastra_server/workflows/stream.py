"""A run's events as the records of its stream: JSON, each ended by the byte 0x1E."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from typing import Any

from mastra_core.errors import InvalidInput
from mastra_core.logger import logger_of
from mastra_core.workflows import Run
from mastra_server.http.responses import StreamResponse, close_on_exit, encode_json
from mastra_server.workflows.chunks import ChunkWriter

__all__ = ("refused_stream", "run_stream")


def run_stream(
    run: Run, offset: int = 0, *, first: int = 0, through: bool = False
) -> StreamResponse:
    """What happens in ``run`` from event ``offset`` on, until it finishes or waits.

    The run does not depend on anybody reading.

    :param first: how many chunks of all that there ever were to leave out.
    :param through: go on while it waits for somebody.
    """
    return _answer(_chunks(run, offset, first, through=through))


def refused_stream(workflow_id: str, run_id: str, error: InvalidInput) -> StreamResponse:
    """The stream of a run that never began: the client expects the reason in it, not a 400."""
    told = {
        "message": error.message,
        "domain": "MASTRA_WORKFLOW",
        "category": "USER",
        "code": "WORKFLOW_SCHEMA_VALIDATION_FAILED",
        "details": dict(error.issues),
    }

    async def chunks() -> AsyncGenerator[dict[str, Any]]:
        writer = ChunkWriter(run_id, workflow_id)
        yield writer.start()
        yield writer.finish("failed", {"error": told, "errorMessage": error.message})

    return _answer(chunks())


def _answer(chunks: AsyncGenerator[dict[str, Any]]) -> StreamResponse:
    return StreamResponse(_records(chunks), "text/plain")


async def _records(chunks: AsyncGenerator[dict[str, Any]]) -> AsyncGenerator[bytes]:
    async with contextlib.aclosing(chunks) as items:
        async for chunk in items:
            try:
                record = encode_json(chunk) + b"\x1e"
            except (TypeError, ValueError) as error:
                logger_of("mastra.server").error("a chunk has no JSON form", exc_info=error)
                continue
            yield record


async def _chunks(
    run: Run, offset: int, first: int, *, through: bool
) -> AsyncGenerator[dict[str, Any]]:
    writer = ChunkWriter(run.record.run_id, run.record.workflow_id)
    index = number = 0
    if run.record.status == "pending":  # it may stay so for ever
        return
    async with close_on_exit(run.events(through=through)) as events:
        async for event in events:
            index += 1
            for chunk in writer.tell(event):
                number += 1
                if index > offset and number > first:
                    yield chunk
