"""Record a span as OpenTelemetry data under Mastra's names, with a limited size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from mastra_core.logger import mask_credentials
from mastra_core.logs.credential_masking import mask_secret_values
from mastra_core.redaction import redact_text
from mastra_core.telemetry.content import encode_content
from mastra_server.http.dates import format_iso

__all__ = ("SpanRecord",)

_MAX_SIZE = 16_384  # characters of all attributes of a span, and bytes each of its input and output
_BASE_SIZE = 1_000  # approximate bytes of a span besides these
_ELLIPSIS = "…"
_PREVIEW = 100
_KINDS = {
    "invoke_agent": "agent_run",
    "create_agent": "generic",
    "chat": "model_generation",
    "text_completion": "model_generation",
    "generate_content": "model_generation",
    "execute_tool": "tool_call",
    "embeddings": "rag_embedding",
}
_NODE_KINDS = {
    "conditional": "workflow_conditional",
    "foreach": "workflow_loop",
    "loop": "workflow_loop",
    "parallel": "workflow_parallel",
    "sleep": "workflow_sleep",
}
# For each kind: the entity's type, the attributes of its id and name, Mastra's name for the span.
_ENTITIES = {
    "agent_run": ("agent", "gen_ai.agent.id", "gen_ai.agent.name", "agent run: '{}'"),
    "workflow_run": ("workflow_run", "mastra.workflow.id", "", "workflow run: '{}'"),
    "workflow_step": ("workflow_step", "mastra.step.id", "", "workflow step: '{}'"),
    "tool_call": ("tool", "gen_ai.tool.name", "", "tool: '{}'"),
}
_ENTITY = ("entityType", "entityId", "entityName")
# The attributes of a span's input and output in OpenTelemetry's conventions.
_IN = ("gen_ai.tool.call.arguments", "gen_ai.input.messages")
_OUT = ("gen_ai.tool.call.result", "gen_ai.output.messages")
_USAGE = {
    "inputTokens": "gen_ai.usage.input_tokens",
    "outputTokens": "gen_ai.usage.output_tokens",
}


class SpanRecord:
    """A span that has not ended, or the record of an ended span.

    :param span: the span of OpenTelemetry's SDK; referenced until it ends.
    :param parent: the recorded span that contains this span; ``None`` for a root span.
    :param number: the number of spans that were recorded before this span.
    """

    __slots__ = (
        "_attributes", "_live", "ended", "entity", "error", "facts", "input", "kind", "label",
        "name", "number", "output", "parent", "root", "service", "size", "span_id", "started",
        "trace_id",
    )  # fmt: skip

    def __init__(self, span: Any, parent: SpanRecord | None, number: int) -> None:
        self.number = number
        self.trace_id = f"{span.context.trace_id:032x}"
        self.span_id = f"{span.context.span_id:016x}"
        self.parent = "" if parent is None else parent.span_id
        self.root: SpanRecord = self if parent is None else parent.root
        self.service = span.resource.attributes.get("service.name")
        self.started = _to_milliseconds(span.start_time)
        self.ended: int | None = None
        self.error: dict[str, str] | None = None
        self.input = self.output = self._attributes = b""
        self.facts: dict[str, str] = {}
        self.kind = "generic"
        self.name = self.entity = self.label = ""
        self.size = _BASE_SIZE
        self._live = span

    def add_facts(self, facts: Mapping[str, Any]) -> None:
        """Record data that is not in the span's attributes.

        :param facts: ``input``, ``output``, and the ids ``run``, ``thread`` and ``resource``.
        """
        if "input" in facts:
            self.input = encode_content(facts["input"], _MAX_SIZE)
        if "output" in facts:
            self.output = encode_content(facts["output"], _MAX_SIZE)
        for name in ("run", "thread", "resource"):
            if facts.get(name):
                self.facts[f"{name}Id"] = _to_text(facts[name])
        self._update_size()

    def finish(self, span: Any) -> None:
        """Record the end of the span, and drop the reference to it.

        :param span: the span.
        """
        self._live = None
        self._update(span)
        self.ended = _to_milliseconds(span.end_time)
        self.error = _get_error(span)
        self._update_size()

    @property
    def status(self) -> str:
        """The status of the span: ``running``, ``error`` or ``success``."""
        if self.ended is None:
            return "running"
        return "success" if self.error is None else "error"

    @property
    def owner(self) -> str:
        """The resource of the run; empty if unknown."""
        return self.facts.get("resourceId", "")

    @property
    def thread(self) -> str:
        """The thread of the run; empty if unknown."""
        return self.facts.get("threadId", "")

    def to_fields(self) -> dict[str, Any]:
        """Return the fields that queries filter by; times are in milliseconds since the epoch."""
        live = self._live
        if live is not None:
            self._update(live)
        attributes = self._build_attributes() if self.kind == "model_generation" else {}
        return {
            "traceId": self.trace_id,
            "name": self.name,
            "spanType": self.kind,
            "startedAt": self.started,
            "endedAt": self.ended,
            "durationMs": None if self.ended is None else self.ended - self.started,
            "error": self.error,
            "status": self.status,
            "entityType": _ENTITIES[self.kind][0] if self.kind in _ENTITIES else None,
            "entityId": self.entity or None,
            "entityName": self.label or None,
            "serviceName": self.service,
            "model": attributes.get("model"),
            "provider": attributes.get("provider"),
            **self.facts,
        }

    def to_summary(self) -> dict[str, Any]:
        """Return the fields for a list or a timeline."""
        fields = self.to_fields()
        copied = ("traceId", "name", "spanType", "error", "status", *_ENTITY)
        return {
            **{name: fields[name] for name in copied},
            "spanId": self.span_id,
            "parentSpanId": self.parent or None,
            "isEvent": False,
            "startedAt": format_iso(self.started),
            "endedAt": None if self.ended is None else format_iso(self.ended),
            "metadata": dict(self.facts) or None,
            "inputPreview": _build_preview(self.input),
            "createdAt": format_iso(self.started),
            "updatedAt": format_iso(self.started if self.ended is None else self.ended),
        }

    def to_details(self) -> dict[str, Any]:
        """Return all fields."""
        summary = self.to_summary()
        del summary["inputPreview"]
        return {
            **summary,
            **dict.fromkeys(("runId", "threadId", "resourceId")),
            **self.facts,
            "serviceName": self.service,
            "attributes": self._build_attributes(),
            "input": msgspec.json.decode(self.input) if self.input else None,
            "output": msgspec.json.decode(self.output) if self.output else None,
        }

    def _update(self, span: Any) -> None:
        """Update the record from the span, whose attributes may change until it ends."""
        attributes = dict(span.attributes)
        self.input = _take_content(attributes, _IN) or self.input
        self.output = _take_content(attributes, _OUT) or self.output
        self.kind = _get_kind(attributes)
        _, id_, name, template = _ENTITIES.get(self.kind, ("", "", "", ""))
        self.entity = _to_text(attributes.get(id_) or attributes.get(name) or "")
        self.label = _to_text(attributes.get(name) or self.entity)
        self.name = template.format(self.entity) if self.entity else _to_text(span.name)
        self._attributes = _encode_attributes(attributes)

    def _build_attributes(self) -> dict[str, Any]:
        """Return the span's attributes; for a model call, add them under Mastra's names."""
        attributes: dict[str, Any] = msgspec.json.decode(self._attributes)
        if self.kind != "model_generation":
            return attributes
        usage = {name: attributes[key] for name, key in _USAGE.items() if key in attributes}
        provider = attributes.get("gen_ai.provider.name", attributes.get("gen_ai.system"))
        model = attributes.get("gen_ai.response.model", attributes.get("gen_ai.request.model"))
        return {**attributes, "model": model, "provider": provider, "usage": usage}

    def _update_size(self) -> None:
        self.size = _BASE_SIZE + len(self.input) + len(self.output) + len(self._attributes)
        self.size += sum(map(len, (self.error or {}).values()))


def _get_kind(attributes: Mapping[str, Any]) -> str:
    if "mastra.workflow.node" in attributes:
        return _NODE_KINDS.get(str(attributes["mastra.workflow.node"]), "generic")
    if "mastra.step.id" in attributes:
        return "workflow_step"
    if "mastra.workflow.id" in attributes:
        return "workflow_run"
    return _KINDS.get(str(attributes.get("gen_ai.operation.name")), "generic")


def _to_milliseconds(nanoseconds: int) -> int:
    return nanoseconds // 1_000_000


def _to_text(value: Any) -> str:
    """Convert a value to a short text that can be encoded in UTF-8."""
    return str(value)[:_MAX_SIZE].encode(errors="replace").decode()


def _encode_attributes(attributes: Mapping[str, Any]) -> bytes:
    """Encode ``attributes`` as JSON without credentials, and cut it at the size limit."""
    room, truncated = _MAX_SIZE, {}
    for key, value in mask_credentials(attributes).items():
        original = value if isinstance(value, str) else str(value)
        text = mask_secret_values(original)
        room -= len(key)
        if room < 0:
            break
        masked = value if text == original else text
        truncated[key] = masked if len(text) <= room else text[:room] + _ELLIPSIS
        room = max(room - len(text), 0)
    try:
        return msgspec.json.encode(truncated)
    except (TypeError, ValueError, OverflowError):  # a lone surrogate, a number that is too large
        return msgspec.json.encode(
            {_to_text(key): _to_text(value) for key, value in truncated.items()}
        )


def _take_content(attributes: dict[str, Any], names: tuple[str, ...]) -> bytes:
    """Remove the first of ``names`` that ``attributes`` contains; return its value as JSON."""
    for name in names:
        if name in attributes:
            value = attributes.pop(name)
            try:
                return encode_content(msgspec.json.decode(value), _MAX_SIZE)
            except (TypeError, ValueError, RecursionError):
                return encode_content(value, _MAX_SIZE)
    return b""


def _get_error(span: Any) -> dict[str, str] | None:
    """Return the error of a failed span, without its traceback."""
    if span.status.status_code.name != "ERROR":
        return None
    exception: dict[str, Any] = {}
    for event in span.events:
        if event.name == "exception":
            exception = dict(event.attributes or {})
    kind = str(exception.get("exception.type", "Error")).rpartition(".")[2]
    message = exception.get("exception.message") or span.status.description or ""
    masked = redact_text(mask_secret_values(str(message)))  # a library may have recorded it
    return {"message": _to_text(masked), "name": _to_text(kind)}


def _build_preview(value: bytes) -> str | None:
    """Return the beginning of an input; for messages, the beginning of their text."""
    if not value:
        return None
    content = msgspec.json.decode(value)
    if isinstance(content, list):
        contents = [each.get("content") for each in content if isinstance(each, dict)]
        content = " | ".join(text for text in contents if isinstance(text, str)) or content
    text = content if isinstance(content, str) else value.decode()
    return text if len(text) <= _PREVIEW else text[:_PREVIEW] + _ELLIPSIS
