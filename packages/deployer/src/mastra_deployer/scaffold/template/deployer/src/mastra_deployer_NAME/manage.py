"""Manage existing deployments, the app's variables, and the app itself."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mastra_core import Secret
from mastra_core.pipeline import Deployment, LogLine, Problem, Report, Stage

from mastra_deployer_<<NAME>>.api import Api, open_api
from mastra_deployer_<<NAME>>.deploy import release, to_deployment
from mastra_deployer_<<NAME>>.settings import <<cls>>

__all__ = ("Variables", "diagnose", "list_deployments", "read_logs", "roll_back", "split_traffic")


def list_deployments(api: Api, limit: int) -> list[Deployment]:
    """Return the newest deployments first.

    :param api: the API of the app.
    :param limit: the limit of the list.
    """
    return [to_deployment(data) for data in api.list_deployments()[:limit]]


def roll_back(api: Api, id: str, report: Report) -> Deployment:
    """Make an earlier deployment live in production again.

    :param api: the API of the app.
    :param id: the id of the deployment; empty for the one that was live before.
    :param report: receives progress.
    :raises DeployError: when nothing was live before.
    """
    from mastra_deployer.kit import find_rollback_target

    known = {data["id"]: data for data in api.list_deployments()}
    target = find_rollback_target(id, lambda: _find_previous(api, known.values()), known.get)
    return release(api, "production", target["id"], report)


def _find_previous(api: Api, deployments: Iterable[Mapping[str, Any]]) -> str:
    """Return the deployment that was live before; while a canary runs, the live deployment."""
    has_canary = any(data.get("percent") for data in deployments)
    return str(api.get_app().get("live" if has_canary else "previous", ""))


def split_traffic(api: Api, id: str, percent: int, report: Report) -> Deployment:
    """Send a share of production's traffic to a deployment; 100 makes it live.

    :param api: the API of the app.
    :param id: the id of the deployment.
    :param percent: the share; 0 ends it.
    :param report: receives progress.
    :raises DeployError: for a share of the deployment that has all of the traffic.
    """
    from mastra_deployer.kit import refuse_live_canary

    if percent == 100:
        return release(api, "production", id, report)
    refuse_live_canary(id, api.get_app().get("live", ""))
    return to_deployment(api.set_share(id, percent))


def read_logs(
    api: Api,
    id: str,
    since: dt.datetime | None,
    *,
    follow: bool,
) -> Iterator[LogLine]:
    """Yield the log of a deployment, oldest line first.

    :param api: the API of the app.
    :param id: the id of the deployment; empty for the live one.
    :param since: time of the first line.
    :param follow: whether to wait for further lines.
    :raises DeployError: when nothing is live.
    """
    from mastra_deployer.kit import follow_history, require_deployed

    name = id or require_deployed(
        api.get_app().get("live"), "Nothing is live in production.", "Deploy first."
    )

    def read(start: dt.datetime) -> Iterator[tuple[str, LogLine]]:
        for data in api.list_lines(name, start.isoformat()):
            time = dt.datetime.fromisoformat(data["time"])
            yield data["id"], LogLine(text=data["text"], time=time, level=data["level"])

    start = since or dt.datetime.fromtimestamp(0, dt.UTC)  # without a time, all lines
    yield from follow_history(read, start) if follow else (line for _, line in read(start))


def diagnose(
    settings: <<cls>>,
    credentials: Mapping[str, Secret],
) -> list[Problem]:
    """Check that <<title>> accepts the token.

    :param settings: with the address of the API.
    :param credentials: with the token.
    :returns: the problems found.
    :raises AuthError: when the token is missing or rejected.
    """
    with open_api(settings, credentials) as api:
        api.get_user()
    return []


class Variables:
    """The variables of one stage; <<title>> never returns their values."""

    def __init__(self, api: Api, stage: Stage) -> None:
        self._api = api
        self._stage = stage

    def list(self) -> Mapping[str, str]:
        """Return the stage of each variable by name."""
        return dict.fromkeys(self._api.list_env(self._stage), self._stage)

    def set(self, values: Mapping[str, Secret]) -> None:
        """Set variables."""
        self._api.create_app()
        self._api.set_env(self._stage, {name: value.reveal() for name, value in values.items()})

    def unset(self, names: Iterable[str]) -> None:
        """Remove variables, and ignore unknown names."""
        self._api.create_app()
        self._api.set_env(self._stage, dict.fromkeys(names))
