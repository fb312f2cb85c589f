"""Stream a run's events as records: each record is JSON and ends with the byte 0x1E."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from typing import Any

from mastra_core.errors import InvalidInput
from mastra_core.logger import get_logger
from mastra_core.schema import encode_json
from mastra_core.workflows import Run
from mastra_server.http.heartbeats import add_heartbeats
from mastra_server.http.responses import StreamResponse, close_on_exit
from mastra_server.workflows.chunks import ChunkWriter

__all__ = ("stream_invalid_input", "stream_run")

_SEPARATOR = b"\x1e"


def stream_run(
    run: Run, offset: int = 0, *, skip: int = 0, past_suspension: bool = False
) -> StreamResponse:
    """Stream the events of ``run``, until it ends or is suspended.

    The run continues even if nobody reads the stream.

    :param run: the run.
    :param offset: the number of events to skip.
    :param skip: the number of chunks to skip.
    :param past_suspension: whether the stream continues while the run is suspended.
    :returns: the stream.
    """
    return _build_response(_stream_chunks(run, offset, skip, past_suspension=past_suspension))


def stream_invalid_input(workflow_id: str, run_id: str, error: InvalidInput) -> StreamResponse:
    """Stream the failure of a run with invalid input; clients expect this error in the stream.

    :param workflow_id: the id of the workflow.
    :param run_id: the id of the run.
    :param error: the error.
    :returns: the stream.
    """
    details = {
        "message": error.message,
        "domain": "MASTRA_WORKFLOW",
        "category": "USER",
        "code": "WORKFLOW_SCHEMA_VALIDATION_FAILED",
        "details": dict(error.issues),
    }

    async def chunks() -> AsyncGenerator[dict[str, Any]]:
        writer = ChunkWriter(run_id, workflow_id)
        yield writer.build_start()
        yield writer.build_finish("failed", {"error": details, "errorMessage": error.message})

    return _build_response(chunks())


def _build_response(chunks: AsyncGenerator[dict[str, Any]]) -> StreamResponse:
    records = add_heartbeats(_encode_records(chunks), _SEPARATOR)  # clients ignore empty records
    return StreamResponse(records, "text/plain")


async def _encode_records(chunks: AsyncGenerator[dict[str, Any]]) -> AsyncGenerator[bytes]:
    async with contextlib.aclosing(chunks) as items:
        async for chunk in items:
            try:
                record = encode_json(chunk) + _SEPARATOR
            except (TypeError, ValueError) as error:
                get_logger("mastra.server").error("cannot encode a chunk as JSON", exc_info=error)
                continue
            yield record


async def _stream_chunks(
    run: Run, offset: int, skip: int, *, past_suspension: bool
) -> AsyncGenerator[dict[str, Any]]:
    writer = ChunkWriter(run.record.run_id, run.record.workflow_id)
    index = number = 0
    if run.record.status == "pending":  # the run may never start
        return
    async with close_on_exit(run.iter_events(until_finished=past_suspension)) as events:
        async for event in events:
            index += 1
            for chunk in writer.write(event):
                number += 1
                if index > offset and number > skip:
                    yield chunk
