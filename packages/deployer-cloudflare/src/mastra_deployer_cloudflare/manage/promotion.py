"""Send the traffic to another version: promote, roll back, canary."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from mastra_core.errors import DeployError
from mastra_core.pipeline import Deployment, Report
from mastra_core.secret import Secret
from mastra_deployer.kit import (
    find_rollback_target,
    refuse_live_canary,
    refuse_other_canary,
    require_deployed,
)
from mastra_deployer_cloudflare.api import open_api
from mastra_deployer_cloudflare.deploy.publish import (
    set_addresses,
    set_observability,
    set_traffic,
)
from mastra_deployer_cloudflare.manage.deployments import describe_version
from mastra_deployer_cloudflare.resources.addresses import find_changes
from mastra_deployer_cloudflare.resources.versions import WorkerState, WorkerVersion, read_state
from mastra_deployer_cloudflare.settings import CloudflareDeployer

if TYPE_CHECKING:
    from mastra_deployer_cloudflare.api import CloudflareApi

__all__ = ("promote", "rollback", "set_canary")

_ALL = 100  # percent


def promote(
    settings: CloudflareDeployer, credentials: Mapping[str, Secret], id: str, report: Report
) -> Deployment:
    """Send all traffic to a version, and change the addresses to match the settings.

    :param settings: settings of the deployer.
    :param credentials: values of the credentials that are set.
    :param id: id of the version.
    :param report: receives progress.
    :returns: the live deployment.
    :raises DeployError: when the version does not exist or is a preview, or when an address in the
        settings cannot be used.
    """
    with _open_worker(settings, credentials) as (api, state):
        version = _require_production(state, id)
        find_changes(api, settings)  # refuses an address of another Worker before the traffic moves
        set_traffic(api, state, {version.id: _ALL}, report)
        set_observability(api, state.name)
        set_addresses(api, settings, report)
        return _describe_again(api, settings, version.id)


def rollback(
    settings: CloudflareDeployer, credentials: Mapping[str, Secret], id: str, report: Report
) -> Deployment:
    """Send all traffic to an earlier version; databases and buckets keep their content.

    :param settings: settings of the deployer.
    :param credentials: values of the credentials that are set.
    :param id: id of the version to go back to; empty for the previous one.
    :param report: receives progress.
    :returns: the live deployment.
    :raises DeployError: when there is no such version, or it is a preview.
    """
    with _open_worker(settings, credentials) as (api, state):
        version = find_rollback_target(
            id,
            lambda: _find_previous(state),
            state.find,
            was_live=lambda each: not state.is_draft(each),
        )
        version = _require_production(state, version.id)
        set_traffic(api, state, {version.id: _ALL}, report)
        return _describe_again(api, settings, version.id)


def set_canary(
    settings: CloudflareDeployer,
    credentials: Mapping[str, Secret],
    id: str,
    percent: int,
    report: Report,
) -> Deployment:
    """Give a version a share of the traffic, and the rest to the live version.

    :param settings: settings of the deployer.
    :param credentials: values of the credentials that are set.
    :param id: id of the version.
    :param percent: share of the traffic in percent; 0 ends the canary.
    :param report: receives progress.
    :returns: the version with its new share.
    :raises DeployError: when no other version is live, or another version is a canary.
    """
    with _open_worker(settings, credentials) as (api, state):
        version = _require_production(state, id)
        shares = _compute_shares(state, version, percent)
        set_traffic(api, state, shares, report)
        return _describe_again(api, settings, version.id)


@contextlib.contextmanager
def _open_worker(
    settings: CloudflareDeployer, credentials: Mapping[str, Secret]
) -> Iterator[tuple[CloudflareApi, WorkerState]]:
    with open_api(settings, credentials) as api:
        state = read_state(api, settings.project_name)
        name = settings.project_name
        yield api, require_deployed(state, f"The account has no Worker {name!r}.")


def _require_production(state: WorkerState, id: str) -> WorkerVersion:
    """Return a version; refuse a preview, whose variables have the values for previews."""
    version = state.require(id)
    if version.stage == "preview":
        raise DeployError(
            f"The version {version.id} is a preview, so its variables have the values for "
            "previews.",
            "Deploy to production: mastra deploy --prod.",
        )
    return version


def _find_previous(state: WorkerState) -> str:
    """Return the version that had all traffic before the present one; empty if there is none."""
    current = state.current
    if current is None:
        return ""
    present = "" if current.is_split else current.main
    for live in state.iter_live_ids():
        version = state.find(live)
        if live != present and version is not None and version.stage == "production":
            return live
    return ""


def _compute_shares(state: WorkerState, version: WorkerVersion, percent: int) -> dict[str, int]:
    if percent == _ALL:
        return {version.id: _ALL}
    shares = require_deployed(state.shares, "No version has traffic.")
    live_id = state.live.id if state.live else max(shares, key=lambda key: shares[key])
    canary_ids = (key for key in shares if key not in (live_id, version.id))
    refuse_other_canary(version.id, next(canary_ids, ""))
    refuse_live_canary(version.id, live_id)
    return {version.id: percent, live_id: _ALL - percent} if percent else {live_id: _ALL}


def _describe_again(api: CloudflareApi, settings: CloudflareDeployer, id: str) -> Deployment:
    state = require_deployed(
        read_state(api, settings.project_name), f"There is no Worker {settings.project_name!r}."
    )
    return describe_version(api, settings, state, id)
