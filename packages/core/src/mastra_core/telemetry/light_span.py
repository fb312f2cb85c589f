"""A span that costs little to record.

A span of OpenTelemetry's SDK checks and copies its attributes under a lock. A ``LightSpan`` stores
its attributes unchecked; the thread that exports the span checks and encodes the attributes.
"""

from __future__ import annotations

import random
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from opentelemetry.trace import (
    Link,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
)

from mastra_core.logs.credential_masking import mask_secret_values
from mastra_core.redaction import redact_text

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource

__all__ = ("LightEvent", "LightSpan", "record_error")

_MAX_TEXT = 16_384  # characters of the message and of the traceback of an exception
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_UNSET = Status()


class LightEvent:
    """An event of a span, which happened at one moment.

    :param name: the name of the event.
    :param attributes: the attributes of the event.
    :param timestamp: nanoseconds since the epoch.
    """

    __slots__ = ("attributes", "name", "timestamp")

    def __init__(self, name: str, attributes: Mapping[str, Any], timestamp: int) -> None:
        self.name = name
        self.attributes = attributes
        self.timestamp = timestamp


class LightSpan(Span):
    """A sampled span of this process.

    The span has the same public attributes as ``ReadableSpan`` of OpenTelemetry's SDK.

    :param name: the name.
    :param kind: the kind.
    :param parent: the parent span, or the context of the parent span; ``None`` for a new trace.
    :param attributes: the attributes; the span changes this dictionary.
    :param links: links to other related spans.
    :param resource: the OpenTelemetry resource of the process.
    :param on_end: receives the span when it has ended.
    """

    __slots__ = (
        "_context", "_on_end", "_parent", "attributes", "content", "end_time", "events", "kind",
        "links", "name", "resource", "span_id", "start_time", "status", "trace_id", "trace_state",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        kind: SpanKind,
        parent: LightSpan | SpanContext | None,
        attributes: dict[str, Any],
        links: Sequence[Link],
        resource: Resource,
        on_end: Callable[[Any], None],
    ) -> None:
        self.name = name
        self.kind = kind
        self._parent = parent
        if parent is None:
            self.trace_id = random.getrandbits(128) or 1
            self.trace_state = None
        else:
            self.trace_id = parent.trace_id
            self.trace_state = parent.trace_state
        self.span_id = random.getrandbits(64) or 1
        self._context: SpanContext | None = None
        self.attributes = attributes
        self.content: dict[str, str] = {}  # attributes of the input and the output
        self.events: list[LightEvent] = []
        self.links: list[Link] = [*links]
        self.status = _UNSET
        self.resource = resource
        self._on_end = on_end
        self.end_time: int | None = None
        self.start_time = time.time_ns()

    @property
    def context(self) -> SpanContext:
        """The ids of the span."""
        return self.get_span_context()

    @property
    def parent(self) -> SpanContext | None:
        """The ids of the parent span."""
        parent = self._parent
        return parent.get_span_context() if isinstance(parent, LightSpan) else parent

    @property
    def parent_id(self) -> int:
        """The id of the parent span, or 0."""
        return 0 if self._parent is None else self._parent.span_id

    @property
    def has_remote_parent(self) -> bool:
        """Whether the parent span belongs to another process."""
        parent = self._parent
        return isinstance(parent, SpanContext) and parent.is_remote

    def get_span_context(self) -> SpanContext:
        """Return the ids of the span."""
        if self._context is None:
            self._context = SpanContext(
                self.trace_id, self.span_id, False, _SAMPLED, self.trace_state
            )
        return self._context

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Set several attributes.

        :param attributes: the attributes.
        """
        if self.end_time is None:
            self.attributes.update(attributes)

    def set_attribute(self, key: str, value: Any) -> None:
        """Set one attribute.

        :param key: the name of the attribute.
        :param value: the value of the attribute.
        """
        if self.end_time is None:
            self.attributes[key] = value

    def add_event(
        self, name: str, attributes: Mapping[str, Any] | None = None, timestamp: int | None = None
    ) -> None:
        """Add an event.

        :param name: the name of the event.
        :param attributes: the attributes of the event.
        :param timestamp: nanoseconds since the epoch; now by default.
        """
        if self.end_time is None:
            own = dict(attributes) if attributes else {}  # the caller may change its dictionary
            self.events.append(LightEvent(name, own, timestamp or time.time_ns()))

    def add_link(self, context: SpanContext, attributes: Mapping[str, Any] | None = None) -> None:
        """Add a related span.

        :param context: the ids of the related span.
        :param attributes: attributes of the link.
        """
        if self.end_time is None and context.is_valid:
            self.links.append(Link(context, attributes))

    def update_name(self, name: str) -> None:
        """Change the name.

        :param name: the new name.
        """
        if self.end_time is None:
            self.name = name

    def is_recording(self) -> bool:
        """Return ``True`` until the span has ended."""
        return self.end_time is None

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """Set the status of the span; the status ``OK`` is final.

        :param status: the status, or its code.
        :param description: why the work failed.
        """
        if isinstance(status, StatusCode):
            text = description if status is StatusCode.ERROR else None
            status = Status(status, text)
        if (
            self.end_time is None
            and self.status.status_code is not StatusCode.OK
            and status.status_code is not StatusCode.UNSET
        ):
            self.status = status

    def record_exception(
        self,
        exception: BaseException,
        attributes: Mapping[str, Any] | None = None,
        timestamp: int | None = None,
        *rest: Any,  # noqa: ARG002  # OpenTelemetry's signature
        **options: Any,  # noqa: ARG002  # OpenTelemetry's signature
    ) -> None:
        """Add an exception as an event, with ``****`` in place of credentials.

        :param exception: the exception.
        :param attributes: more attributes of the event.
        :param timestamp: nanoseconds since the epoch; now by default.
        :param rest: not used.
        :param options: not used.
        """
        kind = type(exception)
        module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
        details = {"exception.type": module + kind.__qualname__, **_describe_exception(exception)}
        self.add_event("exception", {**details, **(attributes or {})}, timestamp)

    def fail(self, error: Exception) -> None:
        """Record the exception that ended the work of the span.

        :param error: the exception.
        """
        self.record_exception(error)
        self.attributes.setdefault("error.type", type(error).__qualname__)
        if self.status.status_code is StatusCode.UNSET:
            self.set_status(StatusCode.ERROR, f"{type(error).__name__}: {_read_message(error)}")

    def end(self, end_time: int | None = None) -> None:
        """End the span.

        :param end_time: nanoseconds since the epoch; now by default.
        """
        if self.end_time is None:
            self.end_time = end_time or time.time_ns()
            self._on_end(self)


def record_error(span: Span, error: Exception) -> None:
    """Record the exception that ended a span of another tracer, without credentials.

    :param span: the span.
    :param error: the exception.
    """
    span.record_exception(error, attributes=_describe_exception(error))
    text = f"{type(error).__name__}: {_read_message(error)}"
    span.set_status(Status(StatusCode.ERROR, text))


def _describe_exception(error: BaseException) -> dict[str, str]:
    """Return the span attributes with the message and the traceback of an exception."""
    lines = "".join(traceback.format_exception(error))
    return {
        "exception.message": _read_message(error),
        "exception.stacktrace": _hide_credentials(lines)[-_MAX_TEXT:],
    }


def _read_message(error: BaseException) -> str:
    """Return the message of an exception without credentials."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001  # a user's class may raise anything
        text = "the exception has no readable message"
    return _hide_credentials(text)[:_MAX_TEXT]


def _hide_credentials(text: str) -> str:
    return redact_text(mask_secret_values(text))
