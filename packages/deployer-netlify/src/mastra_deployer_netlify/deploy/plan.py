"""Plan a deploy by comparing a bundle with Netlify."""

from __future__ import annotations

from collections.abc import Mapping

from mastra_core.pipeline import Bundle, DeployRequest, Plan
from mastra_core.secret import Secret
from mastra_deployer.kit import quote_segment
from mastra_deployer_netlify.api import open_api
from mastra_deployer_netlify.deploy.create import is_draft
from mastra_deployer_netlify.deploy.files import BundleFiles
from mastra_deployer_netlify.deploy.find_unchanged import find_unchanged
from mastra_deployer_netlify.resources.lists import read_objects
from mastra_deployer_netlify.resources.site import find_site, require_publishable
from mastra_deployer_netlify.resources.variables import Variables
from mastra_deployer_netlify.settings import NetlifyDeployer

__all__ = ("plan_deploy",)


def plan_deploy(
    bundle: Bundle,
    settings: NetlifyDeployer,
    credentials: Mapping[str, Secret],
    request: DeployRequest,
) -> Plan:
    """Return what a deploy would create, change and upload; only read from Netlify.

    The published static files are read with ``GET /sites/{id}/files``. Netlify compares digests of
    functions only when a deployment is created, so the plan counts each function as an upload.

    :param bundle: the bundle to deploy.
    :param settings: settings of the deployer.
    :param credentials: values of the credentials that are set.
    :param request: options of the deploy.
    :returns: the plan.
    :raises DeployError: when the site would not publish the deployment.
    """
    files = BundleFiles.from_bundle(bundle)
    total = sum(files.static.sizes.values())
    total += sum(path.stat().st_size for path in files.paths.values())
    kind = "draft" if is_draft(settings, request) else "deployment"
    creates: tuple[str, ...] = (f"{request.environment} {kind}",)
    with open_api(settings, credentials) as client:
        site = find_site(client, settings)
        if site is None:
            return Plan(
                creates=(f"site {settings.project_name}", *creates),
                environment=tuple(request.env),
                upload=total,
            )
        require_publishable(site, request)
        variables = Variables(client, site, request.environment)
        if published := find_unchanged(site, variables, request):
            note = f"{published.id} has the same files and variables."
            return Plan(present=total, notes=(note,))
        stored = variables.list()
        items = read_objects(client.get(f"/sites/{quote_segment(site['id'])}/files"))
    digests = {str(item.get("sha")) for item in items}
    present = sum(size for digest, size in files.static.sizes.items() if digest in digests)
    return Plan(
        creates=creates,
        changes=tuple(f"variable {name}" for name in request.env if name in stored),
        environment=tuple(request.env),
        upload=total - present,
        present=present,
        notes=("A function that Netlify already has is not sent again.",),
    )
