"""Follow a Worker by a tail: a WebSocket with one message for each request."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mastra_core.errors import ApiError, DeployError
from mastra_core.pipeline import LogLine
from mastra_deployer.kit import iter_websocket_lines, quote_segment
from mastra_deployer_cloudflare.settings import CloudflareDeployer

if TYPE_CHECKING:
    from mastra_deployer_cloudflare.api import CloudflareApi

__all__ = ("LEVELS", "open_tail")

_PROTOCOL = "trace-v1"
_FIRST_MESSAGE = json.dumps({"debug": False})
_GOOD = ("ok", "canceled", "responseStreamDisconnected")  # outcomes that are no failure of the app
LEVELS = {"warn": "warning", "fatal": "error", "log": "info", "trace": "debug"}


@contextlib.contextmanager
def open_tail(
    api: CloudflareApi, settings: CloudflareDeployer, versions: frozenset[str]
) -> Iterator[Iterator[LogLine]]:
    """Create a tail, yield its lines, and delete it: ``POST .../tails``.

    :param api: Cloudflare's API.
    :param settings: settings of the deployer.
    :param versions: ids of the versions whose log lines to return.
    :returns: the lines, until Cloudflare ends the tail.
    """
    path = api.build_script_path(settings.project_name, "/tails")
    tail = api.post(path, {"filters": []}) or {}
    try:
        yield _iter_lines(str(tail["url"]), settings.api_url, versions)
    finally:
        with contextlib.suppress(DeployError):  # a tail that remains expires by itself
            api.delete(f"{path}/{quote_segment(tail['id'])}")


def _iter_lines(url: str, home: str, versions: frozenset[str]) -> Iterator[LogLine]:
    messages = iter_websocket_lines(
        url, home=home, subprotocol=_PROTOCOL, messages=[_FIRST_MESSAGE]
    )
    for text in messages:
        try:
            event = json.loads(text)
        except ValueError:
            raise ApiError(
                "Cloudflare sent a log line that is not JSON.", "Read the log without --follow."
            ) from None
        if isinstance(event, dict) and _get_version(event) in versions:
            yield from _iter_event_lines(event)


def _get_version(event: Mapping[str, Any]) -> str:
    return str((event.get("scriptVersion") or {}).get("id") or "")


def _iter_event_lines(event: Mapping[str, Any]) -> Iterator[LogLine]:
    """Yield the log lines of one request, its exceptions, and its outcome if it failed."""
    moment = _to_time(event.get("eventTimestamp"))
    for item in event.get("logs") or ():
        parts = item.get("message")
        words = parts if isinstance(parts, list) else [parts]
        text = " ".join(part if isinstance(part, str) else json.dumps(part) for part in words)
        level = str(item.get("level") or "")
        yield LogLine(
            text=text.rstrip("\n"),
            time=_to_time(item.get("timestamp")) or moment,
            level=LEVELS.get(level, level),
        )
    for item in event.get("exceptions") or ():
        text = f"{item.get('name')}: {item.get('message')}"
        stack = str(item.get("stack") or "")
        yield LogLine(
            text=f"{text}\n{stack}".rstrip(),
            time=_to_time(item.get("timestamp")) or moment,
            level="error",
        )
    outcome = str(event.get("outcome") or "ok")
    if outcome not in _GOOD:
        yield LogLine(text=f"{_format_request(event)}: {outcome}", time=moment, level="error")


def _format_request(event: Mapping[str, Any]) -> str:
    details = event.get("event") or {}
    request = details.get("request") or {}
    if request:
        return f"{request.get('method')} {request.get('url')}"
    return f"cron {details['cron']}" if details.get("cron") else "The Worker"


def _to_time(value: object) -> dt.datetime | None:
    if not isinstance(value, int | float):
        return None
    return dt.datetime.fromtimestamp(value / 1000, dt.UTC)
