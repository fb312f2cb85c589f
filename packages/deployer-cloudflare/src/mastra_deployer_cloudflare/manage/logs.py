"""Read the log of a Worker: past lines by a query, new lines by a tail."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mastra_core.pipeline import LogLine
from mastra_core.secret import Secret
from mastra_deployer.kit import follow_history, iter_pages, require_deployed
from mastra_deployer_cloudflare.api import open_api
from mastra_deployer_cloudflare.manage.tail import LEVELS, open_tail
from mastra_deployer_cloudflare.resources.versions import WorkerState, read_state
from mastra_deployer_cloudflare.settings import CloudflareDeployer

if TYPE_CHECKING:
    from mastra_deployer_cloudflare.api import CloudflareApi

__all__ = ("read_logs",)

_PAGE_SIZE = 100
_VERSION_KEY = "$workers.scriptVersion.id"


def read_logs(
    settings: CloudflareDeployer,
    credentials: Mapping[str, Secret],
    id: str,
    since: dt.datetime | None,
    *,
    follow: bool,
) -> Iterator[LogLine]:
    """Yield past lines; with ``follow``, also yield new lines, outcomes and exceptions.

    :param settings: settings of the deployer.
    :param credentials: values of the credentials that are set.
    :param id: id of the version; empty for the versions that have traffic.
    :param since: time of the first line; one hour ago when ``None``.
    :param follow: whether to wait for further lines.
    :returns: the lines, oldest first.
    :raises DeployError: when there is no such version.
    """
    start = since or dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
    with open_api(settings, credentials) as api:
        name = settings.project_name
        state = require_deployed(read_state(api, name), f"The account has no Worker {name!r}.")
        versions = _select_versions(state, id)
        if not follow:
            yield from _query_lines(api, name, versions, start)
            return

        def read(since: dt.datetime) -> Iterator[tuple[str, LogLine]]:
            with open_tail(api, settings, versions) as new_lines:
                # The tail is created first, so that no line is lost between past lines and new
                # lines.
                for line in itertools.chain(_query_lines(api, name, versions, since), new_lines):
                    yield "", line

        yield from follow_history(read, start)


def _select_versions(state: WorkerState, id: str) -> frozenset[str]:
    if id:
        return frozenset((state.require(id).id,))
    hint = "Deploy first, or pass the id of a version."
    return frozenset(require_deployed(state.shares, "No version has traffic.", hint))


def _query_lines(
    api: CloudflareApi, name: str, versions: frozenset[str], since: dt.datetime
) -> Iterator[LogLine]:
    """Yield past lines, oldest first: ``POST .../workers/observability/telemetry/query``."""
    end = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=1)
    filters = [_build_filter("$workers.scriptName", name)]
    if len(versions) == 1:
        filters.append(_build_filter(_VERSION_KEY, next(iter(versions))))
    body = {
        "queryId": "mastra-logs",
        "view": "events",
        "limit": _PAGE_SIZE,
        "timeframe": {"from": _to_milliseconds(since), "to": _to_milliseconds(end)},
        "parameters": {"filters": filters, "filterCombination": "and"},
    }
    path = api.build_path("/workers/observability/telemetry/query")

    def fetch(offset: str) -> tuple[list[dict[str, Any]], str]:
        page = {"offset": offset, "offsetDirection": "next"} if offset else {}
        result = api.post(path, {**body, **page}, idempotent=True) or {}
        events = list((result.get("events") or {}).get("events") or ())
        last = str((events[-1].get("$metadata") or {}).get("id") or "") if events else ""
        return events, last if len(events) == _PAGE_SIZE else ""

    pages = iter_pages(fetch, "", description="the log", hint="Pass a later --since.")
    events = [event for page in pages for event in page if _get_version(event) in versions]
    events.reverse()  # the newest are first, and several may have the same millisecond
    yield from sorted(map(_to_line, events), key=_get_time)


def _build_filter(key: str, value: str) -> dict[str, str]:
    return {"key": key, "operation": "eq", "type": "string", "value": value}


def _get_version(event: Mapping[str, Any]) -> str:
    worker = event.get("$workers") or {}
    return str((worker.get("scriptVersion") or {}).get("id") or "")


def _to_line(event: Mapping[str, Any]) -> LogLine:
    metadata = event.get("$metadata") or {}
    source = event.get("source")
    text = metadata.get("message") or (
        source.get("message") if isinstance(source, dict) else source
    )
    level = str(metadata.get("level") or "").lower()
    moment = dt.datetime.fromtimestamp(float(event["timestamp"]) / 1000, dt.UTC)
    return LogLine(
        text=str(text or metadata.get("error") or "").rstrip("\n"),
        time=moment,
        level=LEVELS.get(level, level),
    )


def _get_time(line: LogLine) -> dt.datetime:
    return line.time or dt.datetime.min.replace(tzinfo=dt.UTC)


def _to_milliseconds(time: dt.datetime) -> int:
    return int(time.timestamp() * 1000)
