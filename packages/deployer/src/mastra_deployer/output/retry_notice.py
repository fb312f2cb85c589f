"""Tell the user once for each host that requests are repeated, and why."""

from __future__ import annotations

from mastra_core.pipeline import Report

__all__ = ("announce_retry", "set_retry_report")


class _Current:
    """The report of the current command, and the hosts whose retries the report has shown."""

    report: Report | None = None
    hosts: frozenset[str] = frozenset()


def set_retry_report(report: Report | None) -> None:
    """Set the report that shows the retries of all clients in this process.

    :param report: the report of the command that is running; ``None`` to show nothing.
    """
    _Current.report, _Current.hosts = report, frozenset()


def announce_retry(host: str, reason: str) -> None:
    """Show a note that requests to a host are repeated; do this once for each host.

    The notice is a note and not a step, because the step in progress continues after the retry.

    :param host: the host, with its port.
    :param reason: why the last attempt failed, such as ``acme.example answered 429``.
    """
    if _Current.report is not None and host not in _Current.hosts:
        _Current.hosts |= {host}
        _Current.report.note(f"{reason}. The request is repeated.")
