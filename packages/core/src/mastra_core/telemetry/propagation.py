"""Add the ids of a span to the headers of requests to the providers of models."""

from __future__ import annotations

import fnmatch
from collections.abc import Collection
from typing import Any

from mastra_core.errors import ConfigError

__all__ = ("Propagation",)


class Propagation:
    """The rules that say which hosts get which trace headers.

    Most model providers belong to another organisation than the application. By default, a model
    provider gets only ``traceparent``, which contains random ids. The hosts in ``hosts`` also get
    ``tracestate`` and ``baggage``.

    :param hosts: names of hosts, with ``*`` for any characters; ``None`` for every host.
    :raises ConfigError: for a text instead of a list, and for a URL instead of a host.
    """

    def __init__(self, hosts: Any) -> None:
        is_list = hosts is None or (isinstance(hosts, Collection) and not isinstance(hosts, str))
        if not is_list or not all(map(_is_host, hosts or ())):
            raise ConfigError(
                f"propagate_to={hosts!r} is not a list of hosts.",
                'Write names without a scheme and a port: propagate_to=["llm.example.com"].',
            )
        self._hosts = None if hosts is None else tuple(each.lower() for each in hosts)

    def build_headers(self, span: Any, host: str) -> dict[str, str]:
        """Return the headers of a request that is sent within a span.

        :param span: the span.
        :param host: the host that gets the request.
        """
        context = span.get_span_context()
        if not context.is_valid:
            return {}
        if self._hosts is None:
            ids = f"{context.trace_id:032x}-{context.span_id:016x}"
            return {"traceparent": f"00-{ids}-{context.trace_flags:02x}"}
        if not self.is_listed(host):
            return {}
        from opentelemetry import propagate, trace

        headers: dict[str, str] = {}
        propagate.inject(headers, trace.set_span_in_context(span))
        return headers

    def is_listed(self, host: str) -> bool:
        """Return whether a host is in the list of hosts.

        :param host: the name of the host.
        """
        return any(fnmatch.fnmatchcase(host.lower(), each) for each in self._hosts or ())


def _is_host(value: Any) -> bool:
    return isinstance(value, str) and bool(value) and "/" not in value
