"""Read the log of a deployment's functions.

The services for past and for new lines are undocumented, but Netlify's own command line uses them.
"""

from __future__ import annotations

import datetime as dt
import heapq
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mastra_core.errors import ApiError
from mastra_core.pipeline import LogLine
from mastra_core.secret import Secret
from mastra_deployer.kit import (
    follow_history,
    follow_logs,
    iter_pages,
    iter_websocket_lines,
    quote_segment,
    read_object,
    require_deployed,
)
from mastra_deployer_netlify.api import TOKEN, get_socket_address, open_api, open_logs
from mastra_deployer_netlify.resources.deployments import get_deployment
from mastra_deployer_netlify.resources.lists import read_objects
from mastra_deployer_netlify.resources.site import get_published_id, get_site
from mastra_deployer_netlify.settings import NetlifyDeployer

if TYPE_CHECKING:
    import httpx

__all__ = ("read_logs",)

_LEVELS = {"warn": "warning", "fatal": "error", "log": "info"}


def read_logs(
    settings: NetlifyDeployer,
    credentials: Mapping[str, Secret],
    id: str,
    since: dt.datetime | None,
    *,
    follow: bool,
) -> Iterator[LogLine]:
    """Yield past log lines of a deployment; with ``follow``, also yield new lines.

    New lines of the live deployment come from a WebSocket if the site has only one function. For
    other deployments, and for sites with several functions, mastra polls for new lines.

    :param settings: settings of the deployer.
    :param credentials: values of the credentials that are set.
    :param id: id of the deployment; empty for the live one.
    :param since: time of the first line; one hour ago when ``None``.
    :param follow: whether to wait for further lines.
    :returns: the lines, oldest first.
    :raises DeployError: when there is no such deployment.
    """
    start = last = since or dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
    with open_api(settings, credentials) as client, open_logs(settings, credentials) as logs:
        site = get_site(client, settings)
        deployment = _find_id(client, site, id)
        functions = _list_functions(client, site)

        def read_past(start: dt.datetime) -> Iterator[tuple[str, LogLine]]:
            return (("", line) for line in _read_past(logs, site, deployment, functions, start))

        has_stream = deployment == get_published_id(site) and len(functions) == 1
        if follow and not has_stream:
            yield from follow_history(read_past, start)  # without end
        for _, line in read_past(start):
            last = line.time or last
            yield line
        if follow:
            message = _build_message(site, functions[0], credentials[TOKEN])
            address = f"{get_socket_address(settings)}/function/logs"
            yield from follow_logs(
                lambda: _stream_lines(address, settings.api_url, message), after=last
            )


def _find_id(client: httpx.Client, site: Mapping[str, Any], id: str) -> str:
    if id:
        return str(get_deployment(client, site, id)["id"])
    return require_deployed(
        get_published_id(site),
        "No deployment is live in production.",
        "Deploy first, or pass the id of a deployment.",
    )


def _list_functions(client: httpx.Client, site: Mapping[str, Any]) -> list[dict[str, Any]]:
    """List the functions of the site: ``GET /sites/{id}/functions``."""
    groups = read_objects(client.get(f"/sites/{quote_segment(site['id'])}/functions"))
    functions = [function for group in groups for function in group.get("functions") or ()]
    names = {str(function.get("n")): function for function in functions if function.get("n")}
    return [names[name] for name in sorted(names)]


def _read_past(
    client: httpx.Client,
    site: Mapping[str, Any],
    deployment: str,
    functions: list[dict[str, Any]],
    since: dt.datetime,
) -> Iterator[LogLine]:
    """Yield the past lines of all functions, oldest first."""
    logs = (
        _read_function(
            client,
            f"/v2/sites/{quote_segment(site['id'])}/function_logs/"
            f"{quote_segment(str(function['n']))}",
            deployment,
            since,
        )
        for function in functions
    )
    return heapq.merge(*logs, key=lambda line: line.time or since)


def _read_function(
    client: httpx.Client, path: str, deployment: str, since: dt.datetime
) -> Iterator[LogLine]:
    """Yield the past lines of a function: ``GET /v2/sites/{id}/function_logs/{name}``."""
    query = {
        "from": str(_to_milliseconds(since)),
        "to": str(_to_milliseconds(dt.datetime.now(dt.UTC)) + 1),
        "deploy_id": deployment,
    }

    def fetch(cursor: str) -> tuple[list[dict[str, Any]], str]:
        parameters = {**query, "cursor": cursor} if cursor else query
        response = read_object(client.get(path, params=parameters))
        following = (response.get("pagination") or {}).get("next")
        return response.get("logs") or [], str(following or "")

    for rows in iter_pages(fetch, "", description="the log", hint="Pass a later --since."):
        yield from map(_to_line, rows)


def _build_message(site: Mapping[str, Any], function: Mapping[str, Any], token: Secret) -> str:
    """Return the first message for the WebSocket, which selects the function."""
    return json.dumps(
        {
            "function_id": function.get("oid"),
            "site_id": site["id"],
            "access_token": token.reveal(),
            "account_id": function.get("a") or site.get("account_id"),
        }
    )


def _stream_lines(address: str, home: str, message: str) -> Iterator[tuple[str, LogLine]]:
    """Yield the lines of one WebSocket, until Netlify closes it."""
    for text in iter_websocket_lines(address, home=home, messages=[message]):
        try:
            row = json.loads(text)
        except ValueError:
            raise ApiError(
                "Netlify sent a log line that is not JSON.", "Read it without --follow."
            ) from None
        if isinstance(row, dict) and row.get("message"):
            yield "", _to_line(row)


def _to_line(row: Mapping[str, Any]) -> LogLine:
    level = str(row.get("level") or "").lower()
    text = str(row.get("message") or "").rstrip("\n")
    return LogLine(text=text, time=_parse_time(row.get("ts")), level=_LEVELS.get(level, level))


def _parse_time(value: object) -> dt.datetime | None:
    """Parse a time: milliseconds since 1970, or an ISO date."""
    if isinstance(value, int | float):
        return dt.datetime.fromtimestamp(value / 1000, dt.UTC)
    try:
        time = dt.datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=dt.UTC)


def _to_milliseconds(time: dt.datetime) -> int:
    return int(time.timestamp() * 1000)
