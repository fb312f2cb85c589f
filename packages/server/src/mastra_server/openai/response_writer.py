"""Convert the events of an agent run to responses and stream events of the Responses API."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from mastra_core.agents import (
    AgentEvent,
    ApprovalRequired,
    Failure,
    Finish,
    TextDelta,
    ToolCall,
    ToolInputDelta,
    ToolInputStart,
    ToolResult,
    ToolSuspended,
    Usage,
)
from mastra_core.schema import encode_json
from mastra_server.openai.conversation_items import format_output

__all__ = ("ResponseWriter",)


class _OpenCall:
    """A tool call whose arguments the model is writing.

    :param index: the place of the call in the output.
    """

    def __init__(self, index: int) -> None:
        self.index = index
        self.texts: list[str] = []


class ResponseWriter:
    """Builds a response from the events of a run, and converts each event to stream events.

    :param response_id: the id of the response.
    :param model: the model that the request names.
    :param request_fields: the fields of the request that the response repeats.
    :param is_structured: whether the answer is structured. A structured response contains no text
        besides the valid answer, because clients parse all text.
    """

    def __init__(
        self,
        response_id: str,
        model: str,
        request_fields: dict[str, Any],
        *,
        is_structured: bool = False,
    ) -> None:
        self.response: dict[str, Any] = {
            "id": response_id,
            "object": "response",
            "created_at": int(time.time()),
            "completed_at": None,
            "model": model,
            "status": "in_progress",
            "output": [],
            "usage": None,
            "error": None,
            "incomplete_details": None,
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            **request_fields,
        }
        self.failure: Failure | None = None
        self._message: dict[str, Any] | None = None  # the open message, the last item of the output
        self._texts: list[str] = []  # the deltas of the open message
        self._calls: dict[str, _OpenCall] = {}  # by call id
        self._is_structured = is_structured
        self._number = 0
        self._has_ended = False

    def write_start(self) -> Iterator[dict[str, Any]]:
        """Yield the first events of a stream."""
        yield self._build_event("created", response=self.response)
        yield self._build_event("in_progress", response=self.response)

    def write(self, event: AgentEvent) -> Iterator[dict[str, Any]]:
        """Apply ``event`` to the response, and yield its stream events.

        :param event: the event; after the end of the run, it is ignored.
        """
        if self._has_ended:
            return
        match event:
            case TextDelta() if not self._is_structured:
                yield from self._write_text(event.text)
            case ToolInputStart() | ToolInputDelta() | ToolCall():
                yield from self._write_call(event)
            case ToolResult():
                yield from self._end_message()
                yield from self._write_item(_build_result(event))
            case ApprovalRequired() | ToolSuspended():
                self.response["status"] = "incomplete"
            case Finish():
                if event.object is not None and not self._has_message():
                    yield from self._write_text(encode_json(event.object).decode())
                yield from self._end_items()
                yield self._finish(event)
            case Failure():
                yield from self._end_items()
                yield self._fail(event)

    def _has_message(self) -> bool:
        return any(item["type"] == "message" for item in self._output)

    @property
    def _output(self) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.response["output"]
        return items

    def _write_text(self, text: str) -> Iterator[dict[str, Any]]:
        if self._message is None:
            part = {"type": "output_text", "text": "", "annotations": []}
            self._message = {
                "id": f"msg_{self.response['id']}_{len(self._output)}",
                "type": "message",
                "role": "assistant",
                "status": "in_progress",
                "content": [part],
            }
            self._output.append(self._message)
            item = {**self._message, "content": []}
            yield self._build_event("output_item.added", output_index=self._last_index, item=item)
            yield self._build_part_event("content_part.added", part=dict(part))
        self._texts.append(text)
        yield self._build_part_event("output_text.delta", delta=text)

    def _end_message(self) -> Iterator[dict[str, Any]]:
        if self._message is None:
            return
        self._message["status"] = "completed"
        part = self._message["content"][0]
        part["text"] = "".join(self._texts)
        self._texts.clear()
        yield self._build_part_event("output_text.done", text=part["text"])
        yield self._build_part_event("content_part.done", part=part)
        yield self._build_event(
            "output_item.done", output_index=self._last_index, item=self._message
        )
        self._message = None

    def _write_call(
        self, event: ToolInputStart | ToolInputDelta | ToolCall
    ) -> Iterator[dict[str, Any]]:
        match event:
            case ToolInputStart():
                yield from self._start_call(event)
            case ToolInputDelta():
                yield from self._write_arguments(event, event.text)
            case ToolCall():
                yield from self._end_call(event)

    def _start_call(
        self, call: ToolCall | ToolInputStart | ToolInputDelta
    ) -> Iterator[dict[str, Any]]:
        yield from self._end_message()
        item = {
            "id": f"fc_{call.id}",
            "type": "function_call",
            "call_id": call.id,
            "name": call.name,
            "arguments": "",
            "status": "in_progress",
        }
        self._output.append(item)
        self._calls[call.id] = _OpenCall(self._last_index)
        yield self._build_event("output_item.added", output_index=self._last_index, item=dict(item))

    def _write_arguments(
        self, call: ToolCall | ToolInputDelta, text: str
    ) -> Iterator[dict[str, Any]]:
        if call.id not in self._calls:
            yield from self._start_call(call)
        open_call = self._calls[call.id]
        open_call.texts.append(text)
        index = open_call.index
        yield self._build_event(
            "function_call_arguments.delta",
            output_index=index,
            item_id=self._output[index]["id"],
            delta=text,
        )

    def _end_call(self, call: ToolCall) -> Iterator[dict[str, Any]]:
        yield from self._end_message()
        if call.id not in self._calls:  # a framework that does not stream arguments
            yield from self._write_arguments(call, encode_json(call.arguments).decode())
        open_call = self._calls.pop(call.id)
        index, item = open_call.index, self._output[open_call.index]
        item["status"] = "completed"
        item["arguments"] = "".join(open_call.texts) or encode_json(call.arguments).decode()
        yield self._build_event(
            "function_call_arguments.done",
            output_index=index,
            item_id=item["id"],
            name=call.name,
            arguments=item["arguments"],
        )
        yield self._build_event("output_item.done", output_index=index, item=item)

    def _end_items(self) -> Iterator[dict[str, Any]]:
        """End the open message, and the calls whose arguments are incomplete."""
        yield from self._end_message()
        for call in self._calls.values():
            item = self._output[call.index]
            item |= {"status": "incomplete", "arguments": "".join(call.texts)}
            yield self._build_event("output_item.done", output_index=call.index, item=item)
        self._calls.clear()

    def _write_item(self, item: dict[str, Any]) -> Iterator[dict[str, Any]]:
        self._output.append(item)
        yield self._build_event("output_item.added", output_index=self._last_index, item=item)
        yield self._build_event("output_item.done", output_index=self._last_index, item=item)

    def _finish(self, finish: Finish) -> dict[str, Any]:
        self._has_ended = True
        waits = finish.reason == "suspended" or self.response["status"] == "incomplete"
        self.response |= {
            "status": "incomplete" if waits or finish.reason == "length" else "completed",
            "completed_at": int(time.time()),
            "usage": _build_usage(finish.usage),
        }
        if finish.reason == "length":
            self.response["incomplete_details"] = {"reason": "max_output_tokens"}
        return self._build_event(self.response["status"], response=self.response)

    def _fail(self, failure: Failure) -> dict[str, Any]:
        self._has_ended = True
        self.failure = failure
        error = {"code": failure.kind, "message": failure.message}
        self.response |= {"status": "failed", "error": error, "completed_at": int(time.time())}
        return self._build_event("failed", response=self.response)

    @property
    def _last_index(self) -> int:
        return len(self._output) - 1

    def _build_part_event(self, kind: str, **fields: Any) -> dict[str, Any]:
        item = self._output[-1]["id"]
        location = {"output_index": self._last_index, "content_index": 0, "item_id": item}
        return self._build_event(kind, **location, **fields)

    def _build_event(self, kind: str, /, **fields: Any) -> dict[str, Any]:
        self._number += 1
        return {"type": f"response.{kind}", "sequence_number": self._number - 1, **fields}


def _build_result(result: ToolResult) -> dict[str, Any]:
    return {
        "id": f"fco_{result.id}",
        "type": "function_call_output",
        "call_id": result.id,
        "output": format_output(result.result),
        "status": "incomplete" if result.failed else "completed",
    }


def _build_usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens},
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }
