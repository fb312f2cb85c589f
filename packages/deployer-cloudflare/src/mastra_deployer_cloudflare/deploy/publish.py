"""Send the traffic to a version, and change the Worker's addresses to match the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mastra_core.errors import ApiError
from mastra_core.pipeline import Report
from mastra_deployer_cloudflare.error_codes import SECRETS_CHANGED
from mastra_deployer_cloudflare.resources.addresses import (
    apply_changes,
    find_changes,
    read_switches,
    set_switches,
)
from mastra_deployer_cloudflare.resources.versions import WorkerState, deploy_versions
from mastra_deployer_cloudflare.settings import CloudflareDeployer

if TYPE_CHECKING:
    from mastra_deployer_cloudflare.api import CloudflareApi

__all__ = ("set_addresses", "set_observability", "set_traffic")

_ALL = 100  # percent
_OBSERVABILITY = {"observability": {"enabled": True}}


def set_traffic(
    api: CloudflareApi,
    state: WorkerState,
    shares: dict[str, int],
    report: Report,
    *,
    message: str = "",
) -> None:
    """Set the versions' shares of the traffic; send no request if the shares stay the same.

    :param api: Cloudflare's API.
    :param state: the state of the Worker.
    :param shares: share in percent by version id; the sum is 100.
    :param report: receives progress.
    :param message: the message of the deployment; if empty, the message of the main version.
    """
    main = max(shares, key=lambda key: shares[key])
    current = state.current
    if current and dict(current.shares) == shares and message in ("", current.message):
        return
    version = state.find(main)
    text = message or (_format_tags(state, main) if version else "")
    report.step(f"Sending the traffic to version {main[:8]}")
    try:
        deploy_versions(api, state.name, shares, text)
    except ApiError as error:
        if error.code != SECRETS_CHANGED:
            raise
        report.warn(
            f"The secrets have changed since version {main[:8]} was live. This version still has "
            "its earlier secrets.",
            "Set them again with `mastra env set`, or deploy.",
        )
        deploy_versions(api, state.name, shares, text, force=True)


def set_addresses(api: CloudflareApi, settings: CloudflareDeployer, report: Report) -> None:
    """Change workers.dev, routes, custom domains and crons to match the settings.

    :param api: Cloudflare's API.
    :param settings: settings of the deployer.
    :param report: receives progress.
    """
    changes = find_changes(api, settings)
    if changes:
        report.step(f"Setting {', '.join(change.text for change in changes)}")
    _set_workers_dev(api, settings)
    apply_changes(api, changes)


def set_observability(api: CloudflareApi, name: str) -> None:
    """Turn the log on; the log is a setting of the Worker, not of a version.

    :param api: Cloudflare's API.
    :param name: the name of the Worker.
    """
    path = api.build_script_path(name, "/script-settings")
    current = (api.get(path) or {}).get("observability") or {}
    if not current.get("enabled"):
        api.patch(path, _OBSERVABILITY)


def _set_workers_dev(api: CloudflareApi, settings: CloudflareDeployer) -> None:
    """Turn workers.dev on or off; turn previews on only together with workers.dev.

    A Worker that is already on workers.dev keeps its setting for previews, because the user may
    have turned them off.
    """
    switches = {"enabled": settings.workers_dev}
    if settings.workers_dev and not read_switches(api, settings.project_name)["enabled"]:
        switches["previews_enabled"] = True
    set_switches(api, settings.project_name, switches)


def _format_tags(state: WorkerState, id: str) -> str:
    texts = [item.message for item in state.deployments if item.main == id and item.message]
    return texts[0] if texts else state.require(id).message
