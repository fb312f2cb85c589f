"""One span as it is kept: what OpenTelemetry knows of it in Mastra's words, cut to a size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from mastra_core.logger import without_credentials
from mastra_core.schema import dump
from mastra_server.agents.messages import format_iso

__all__ = ("KeptSpan",)

_ROOM = 16_384  # characters of all attributes of a span, and bytes each of its input and output
_BASE = 1_000  # bytes that a span takes beside these, about
_CUT = "…"
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
# Of each kind: the entity's type, the attributes of its id and its name, what Mastra calls it.
_ENTITIES = {
    "agent_run": ("agent", "gen_ai.agent.id", "gen_ai.agent.name", "agent run: '{}'"),
    "workflow_run": ("workflow_run", "mastra.workflow.id", "", "workflow run: '{}'"),
    "workflow_step": ("workflow_step", "mastra.step.id", "", "workflow step: '{}'"),
    "tool_call": ("tool", "gen_ai.tool.name", "", "tool: '{}'"),
}
_ENTITY = ("entityType", "entityId", "entityName")
# What OpenTelemetry's conventions call that which went into a span and came out.
_IN = ("gen_ai.tool.call.arguments", "gen_ai.input.messages")
_OUT = ("gen_ai.tool.call.result", "gen_ai.output.messages")
_USAGE = {
    "inputTokens": "gen_ai.usage.input_tokens",
    "outputTokens": "gen_ai.usage.output_tokens",
}


class KeptSpan:
    """A span that runs, or what is left of one that has ended.

    :param span: of OpenTelemetry's SDK; held until it ends.
    :param parent: the id of the kept span that it is in, empty for a root.
    :param number: how many were kept before it.
    """

    __slots__ = (
        "_attributes", "_live", "ended", "entity", "error", "facts", "input", "kind", "label",
        "name", "number", "output", "parent", "service", "size", "span_id", "started", "trace_id",
    )  # fmt: skip

    def __init__(self, span: Any, parent: str, number: int) -> None:
        self.number = number
        self.trace_id = f"{span.context.trace_id:032x}"
        self.span_id = f"{span.context.span_id:016x}"
        self.parent = parent
        self.service = span.resource.attributes.get("service.name")
        self.started = _milliseconds(span.start_time)
        self.ended: int | None = None
        self.error: dict[str, str] | None = None
        self.input = self.output = self._attributes = b""
        self.facts: dict[str, str] = {}
        self.kind = "generic"
        self.name = self.entity = self.label = ""
        self.size = _BASE
        self._live = span

    def note(self, facts: Mapping[str, Any]) -> None:
        """Keep what is known of it beside its attributes."""
        if "input" in facts:
            self.input = _json(facts["input"])
        if "output" in facts:
            self.output = _json(facts["output"])
        for name in ("run", "thread", "resource"):
            if facts.get(name):
                self.facts[f"{name}Id"] = _text(facts[name])
        self._weigh()

    def end(self, span: Any) -> None:
        """Keep how it ended, and let go of the span itself."""
        self._live = None
        self._look(span)
        self.ended = _milliseconds(span.end_time)
        self.error = _error(span)
        self._weigh()

    @property
    def status(self) -> str:
        """``running``, ``error`` or ``success``."""
        if self.ended is None:
            return "running"
        return "success" if self.error is None else "error"

    @property
    def owner(self) -> str:
        """The resource whose run it is, where that is known."""
        return self.facts.get("resourceId", "")

    def fields(self) -> dict[str, Any]:
        """What can be asked of it by the contract's names; moments are milliseconds."""
        live = self._live
        if live is not None:
            self._look(live)
        told = self._told() if self.kind == "model_generation" else {}
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
            "model": told.get("model"),
            "provider": told.get("provider"),
            **self.facts,
        }

    def brief(self) -> dict[str, Any]:
        """What a list or a timeline shows."""
        fields = self.fields()
        shown = ("traceId", "name", "spanType", "error", "status", *_ENTITY)
        return {
            **{name: fields[name] for name in shown},
            "spanId": self.span_id,
            "parentSpanId": self.parent or None,
            "isEvent": False,
            "startedAt": format_iso(self.started),
            "endedAt": None if self.ended is None else format_iso(self.ended),
            "metadata": dict(self.facts) or None,
            "inputPreview": _preview(self.input),
            "createdAt": format_iso(self.started),
            "updatedAt": format_iso(self.started if self.ended is None else self.ended),
        }

    def whole(self) -> dict[str, Any]:
        """Everything of it."""
        brief = self.brief()
        del brief["inputPreview"]
        return {
            **brief,
            **dict.fromkeys(("runId", "threadId", "resourceId")),
            **self.facts,
            "serviceName": self.service,
            "attributes": self._told(),
            "input": msgspec.json.decode(self.input) if self.input else None,
            "output": msgspec.json.decode(self.output) if self.output else None,
        }

    def _look(self, span: Any) -> None:
        """See what it is; until it ends, that may change."""
        attributes = dict(span.attributes)
        self.input = _said(attributes, _IN) or self.input
        self.output = _said(attributes, _OUT) or self.output
        self.kind = _kind(attributes)
        _, id_, name, words = _ENTITIES.get(self.kind, ("", "", "", ""))
        self.entity = _text(attributes.get(id_) or attributes.get(name) or "")
        self.label = _text(attributes.get(name) or self.entity)
        self.name = words.format(self.entity) if self.entity else _text(span.name)
        self._attributes = _cut(attributes)

    def _told(self) -> dict[str, Any]:
        """Its attributes; those of a model's turn also by Mastra's names."""
        told: dict[str, Any] = msgspec.json.decode(self._attributes)
        if self.kind != "model_generation":
            return told
        usage = {name: told[key] for name, key in _USAGE.items() if key in told}
        provider = told.get("gen_ai.provider.name", told.get("gen_ai.system"))
        model = told.get("gen_ai.response.model", told.get("gen_ai.request.model"))
        return {**told, "model": model, "provider": provider, "usage": usage}

    def _weigh(self) -> None:
        self.size = _BASE + len(self.input) + len(self.output) + len(self._attributes)


def _kind(attributes: Mapping[str, Any]) -> str:
    if "mastra.step.id" in attributes:
        return "workflow_step"
    if "mastra.workflow.id" in attributes:
        return "workflow_run"
    return _KINDS.get(str(attributes.get("gen_ai.operation.name")), "generic")


def _milliseconds(nanoseconds: int) -> int:
    return nanoseconds // 1_000_000


def _text(value: Any) -> str:
    """A short text that can be sent, whatever was in it."""
    return str(value)[:_ROOM].encode(errors="replace").decode()


def _cut(attributes: Mapping[str, Any]) -> bytes:
    """``attributes`` as JSON without credentials, for as long as there is room."""
    room, kept = _ROOM, {}
    for key, value in without_credentials(attributes).items():
        text = value if isinstance(value, str) else str(value)
        room -= len(key)
        if room < 0:
            break
        kept[key] = value if len(text) <= room else text[:room] + _CUT
        room = max(room - len(text), 0)
    try:
        return msgspec.json.encode(kept)
    except (TypeError, ValueError, OverflowError):  # half a character, a number without end
        return msgspec.json.encode({_text(key): _text(value) for key, value in kept.items()})


def _said(attributes: dict[str, Any], names: tuple[str, ...]) -> bytes:
    """What the first of ``names`` holds, taken out of ``attributes``: JSON as text, mostly."""
    for name in names:
        if name in attributes:
            value = attributes.pop(name)
            try:
                return _json(msgspec.json.decode(value))
            except (TypeError, ValueError, RecursionError):
                return _json(value)
    return b""


def _json(value: Any) -> bytes:
    """``value`` as JSON without credentials; as a piece of text where it is long."""
    try:
        whole = msgspec.json.encode(_bare(dump(value)))
    except Exception:  # noqa: BLE001  # users' types raise what they like, and the run goes on
        return msgspec.json.encode(type(value).__name__)
    if len(whole) <= _ROOM:
        return whole
    return msgspec.json.encode(whole[:_ROOM].decode(errors="ignore") + _CUT)


def _bare(value: Any) -> Any:
    return without_credentials({"": value})[""]


def _error(span: Any) -> dict[str, str] | None:
    """Why it failed, if it did; where in the code is for who runs the server."""
    if span.status.status_code.name != "ERROR":
        return None
    raised: dict[str, Any] = {}
    for event in span.events:
        if event.name == "exception":
            raised = dict(event.attributes or {})
    kind = str(raised.get("exception.type", "Error")).rpartition(".")[2]
    message = raised.get("exception.message") or span.status.description or ""
    return {"message": _text(message), "name": _text(kind)}


def _preview(value: bytes) -> str | None:
    """The beginning of an input: of messages, what the user said."""
    if not value:
        return None
    read = msgspec.json.decode(value)
    if isinstance(read, list):
        said = [each.get("content") for each in read if isinstance(each, dict)]
        read = " | ".join(text for text in said if isinstance(text, str)) or read
    text = read if isinstance(read, str) else value.decode()
    return text if len(text) <= _PREVIEW else text[:_PREVIEW] + _CUT
