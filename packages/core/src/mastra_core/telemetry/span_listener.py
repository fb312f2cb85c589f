"""Receive the spans of this process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

__all__ = ("SpanListener",)


class SpanListener(Protocol):
    """A receiver of the spans of this process; it is called in the thread of the span."""

    def on_start(self, span: Any) -> None:
        """Receive a span that started.

        :param span: the span.
        """

    def on_annotate(self, span: Any, attributes: Mapping[str, Any]) -> None:
        """Receive attributes of a span; these attributes are not exported.

        :param span: the span.
        :param attributes: the attributes, as ``annotate`` got them.
        """

    def on_end(self, span: Any) -> None:
        """Receive a span that ended.

        :param span: the span.
        """
