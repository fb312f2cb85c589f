"""Plan a deploy by comparing the Worker with the settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mastra_core.pipeline import Bundle, DeployRequest, Plan
from mastra_core.secret import Secret
from mastra_deployer_cloudflare.api import TOKEN, open_api
from mastra_deployer_cloudflare.deploy.address_checks import (
    require_address,
    require_preview_address,
)
from mastra_deployer_cloudflare.deploy.deploy import find_unchanged
from mastra_deployer_cloudflare.deploy.upload_form import build_upload, require_handlers
from mastra_deployer_cloudflare.deploy.upload_version import find_uploaded
from mastra_deployer_cloudflare.resources.addresses import find_changes
from mastra_deployer_cloudflare.resources.storage import find_storage
from mastra_deployer_cloudflare.resources.subdomain import find_subdomain
from mastra_deployer_cloudflare.resources.versions import read_state
from mastra_deployer_cloudflare.settings import CloudflareDeployer

__all__ = ("plan_deploy",)


def plan_deploy(
    bundle: Bundle,
    settings: CloudflareDeployer,
    credentials: Mapping[str, Secret],
    request: DeployRequest,
) -> Plan:
    """Compare the Worker, its resources and its addresses with the settings.

    :param bundle: the bundle to deploy.
    :param settings: settings of the deployer.
    :param credentials: values of the credentials that are set.
    :param request: options of the deploy.
    :raises BundleError: when the bundle is not complete, or was made with other settings.
    :raises DeployError: when an address in the settings cannot be used.
    """
    require_handlers(bundle, settings)
    with open_api(settings, credentials) as api:
        subdomain = find_subdomain(api)
        require_address(settings, subdomain)
        state = read_state(api, settings.project_name)
        if request.environment == "preview":
            require_preview_address(api, settings, subdomain, is_new=state is None)
        changes = find_changes(api, settings) if request.environment == "production" else []
        storage = find_storage(api, settings)
        upload = build_upload(bundle, settings, request, storage, credentials[TOKEN])
        known = state and (find_unchanged(state, upload, request) or find_uploaded(state, upload))
        creates = [*(str(item) for item in storage if not item.id)]
        creates += [] if state else [f"Worker {settings.project_name}"]
        creates += [] if known else ["a version of the Worker"]
        return Plan(
            creates=tuple(creates),
            changes=tuple(change.text for change in changes) if request.promote else (),
            environment=tuple(request.env),
            upload=0 if known else upload.size,
            present=upload.size if known else 0,
            notes=tuple(_iter_notes(settings)),
        )


def _iter_notes(settings: CloudflareDeployer) -> Iterator[str]:
    if not settings.staged:
        yield "A version is live before its smoke test (staged=false)."
