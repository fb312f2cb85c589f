"""Deploy a bundle: resources, version, traffic, addresses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mastra_core.pipeline import Bundle, Deployment, DeployRequest, Report
from mastra_core.secret import Secret
from mastra_deployer.kit import DeploymentTags, warn_about_other_tool
from mastra_deployer_cloudflare.api import TOKEN, open_api
from mastra_deployer_cloudflare.deploy.address_checks import (
    require_address,
    require_preview_address,
)
from mastra_deployer_cloudflare.deploy.publish import (
    set_addresses,
    set_observability,
    set_traffic,
)
from mastra_deployer_cloudflare.deploy.upload_form import (
    WorkerUpload,
    build_upload,
    require_handlers,
)
from mastra_deployer_cloudflare.deploy.upload_version import (
    find_uploaded,
    is_complete,
    upload_version,
    upload_worker,
)
from mastra_deployer_cloudflare.resources.addresses import (
    find_changes,
    get_preview_url,
    get_url,
    read_switches,
    set_switches,
)
from mastra_deployer_cloudflare.resources.storage import create_storage, find_storage
from mastra_deployer_cloudflare.resources.subdomain import find_subdomain
from mastra_deployer_cloudflare.resources.versions import (
    WorkerState,
    WorkerVersion,
    read_state,
)
from mastra_deployer_cloudflare.settings import CloudflareDeployer

if TYPE_CHECKING:
    from mastra_deployer_cloudflare.api import CloudflareApi

__all__ = ("deploy", "find_unchanged")

_ALL = 100  # percent


def deploy(
    bundle: Bundle,
    settings: CloudflareDeployer,
    credentials: Mapping[str, Secret],
    request: DeployRequest,
    report: Report,
) -> Deployment:
    """Create missing resources, upload a version with its values, and send the traffic to it.

    Users never get a partial version: a version contains its modules, settings and secrets, and
    gets traffic only when it is complete.

    :param bundle: the bundle to deploy.
    :param settings: settings of the deployer.
    :param credentials: values of the credentials that are set.
    :param request: options of the deploy.
    :param report: receives progress.
    :returns: the deployment, which is a draft after a staged deploy.
    :raises BundleError: when the bundle is not complete, or was made with other settings.
    :raises DeployError: when an address in the settings cannot be used.
    :raises DeploymentFailed: when Cloudflare cannot start the Worker.
    """
    with open_api(settings, credentials) as api:
        run = _DeployRun(api, settings, request, report)
        require_handlers(bundle, settings)
        run.check_addresses()
        report.step("Reading the Worker")
        state = read_state(api, settings.project_name)
        run.require_previews(state)
        storage = list(create_storage(api, find_storage(api, settings)))
        upload = build_upload(bundle, settings, request, storage, credentials[TOKEN])
        if state is None:
            return run.create_worker(upload)
        unchanged = find_unchanged(state, upload, request)
        if unchanged and is_complete(api, state.name, unchanged, upload):
            return run.keep_version(state, unchanged, upload)
        run.warn_about_other_tool(state)
        version = None if unchanged else find_uploaded(state, upload)
        if version is None or not is_complete(api, state.name, version, upload):
            version = upload_version(api, state, upload, report)
        return run.finish_version(state, version, upload)


def find_unchanged(
    state: WorkerState, upload: WorkerUpload, request: DeployRequest
) -> WorkerVersion | None:
    """Return the live version (for a preview, the newest) if it equals the upload.

    :param state: the state of the Worker.
    :param upload: the content that the deploy uploads.
    :param request: options of the deploy.
    """
    if request.environment == "preview":
        newest = state.versions[0] if state.versions else None
        return newest if newest and newest.tag == upload.tag else None
    live, current = state.live, state.current
    if live is None or current is None or current.is_split or live.tag != upload.tag:
        return None
    return live


class _DeployRun:
    """The steps of one deploy after the state of the Worker is known."""

    def __init__(
        self,
        api: CloudflareApi,
        settings: CloudflareDeployer,
        request: DeployRequest,
        report: Report,
    ) -> None:
        self._api, self._settings = api, settings
        self._request, self._report = request, report
        self._name = settings.project_name
        self._is_published = request.environment == "production" and request.promote
        self._subdomain = ""

    def check_addresses(self) -> None:
        """Refuse addresses that cannot be used, before anything is sent."""
        self._subdomain = find_subdomain(self._api)
        require_address(self._settings, self._subdomain)
        if self._request.environment == "production":
            find_changes(self._api, self._settings)

    def require_previews(self, state: WorkerState | None) -> None:
        """Refuse a preview that would have no address; turn on the previews of a new Worker.

        :param state: the state of the Worker; ``None`` if there is none.
        """
        if self._request.environment == "preview":
            is_new = state is None
            require_preview_address(self._api, self._settings, self._subdomain, is_new=is_new)
            if not is_new:
                set_switches(self._api, self._name, {"previews_enabled": True})

    def warn_about_other_tool(self, state: WorkerState) -> None:
        """Warn if only other tools deployed the Worker, because it may contain another app.

        :param state: the state of the Worker.
        """
        warn_about_other_tool(
            self._report,
            f"Worker {self._name!r}",
            state.versions,
            lambda item: bool(DeploymentTags.from_text(item.message).stage),
            hint="If it is another app, choose another project_name. `mastra rollback` restores "
            "the old version.",
        )

    def create_worker(self, upload: WorkerUpload) -> Deployment:
        """Upload a new Worker, without addresses if the deploy does not publish the Worker."""
        version = upload_worker(self._api, self._name, upload, self._report)
        if not self._is_published and self._settings.workers_dev:
            set_switches(self._api, self._name, {"enabled": False, "previews_enabled": True})
        if self._is_published:
            self._report.note(
                "The Worker is new, so its first version is live before its smoke test.",
                "Later versions are tested first.",
            )
            self._set_worker()
        is_draft = self._request.environment == "production" and not self._is_published
        return self._describe(version, upload, live=not is_draft, draft=is_draft)

    def keep_version(
        self, state: WorkerState, version: WorkerVersion, upload: WorkerUpload
    ) -> Deployment:
        """Reuse an unchanged version; if the deploy publishes it, update message and addresses."""
        self._report.note(f"Version {version.id[:8]} has the same modules, settings and values.")
        if self._is_published:
            if self._request.message not in ("", state.get_tags(version).message):
                shares = {version.id: _ALL}
                set_traffic(self._api, state, shares, self._report, message=upload.message)
            self._set_worker()
        return self._describe(version, upload, live=True)

    def finish_version(
        self, worker: WorkerState, version: WorkerVersion, upload: WorkerUpload
    ) -> Deployment:
        """Send the traffic to an uploaded version, or leave it a draft.

        :param worker: the state of the Worker before the upload.
        :param version: the version.
        :param upload: the content that the deploy uploaded.
        """
        if self._request.environment == "preview":
            return self._describe(version, upload, live=True)
        if self._is_draft(version):
            is_new = worker.find(version.id) is None
            is_draft = is_new or worker.is_draft(version)  # another one may have been live
            return self._describe(version, upload, live=False, draft=is_draft)
        state = read_state(self._api, self._name)
        if state is not None:
            shares = {version.id: _ALL}
            set_traffic(self._api, state, shares, self._report, message=upload.message)
        self._set_worker()
        return self._describe(version, upload, live=True)

    def _is_draft(self, version: WorkerVersion) -> bool:
        """Return whether the version gets no traffic yet, because it is untested or a draft."""
        if not self._request.promote:
            return True
        if not (self._settings.staged and self._request.wait):
            return False
        if self._find_preview_url(version):
            return True
        self._report.note(
            "The Worker has no preview URLs, so the version is live before its smoke test.",
            "Switch on preview URLs of the Worker on dash.cloudflare.com.",
        )
        return False

    def _set_worker(self) -> None:
        set_observability(self._api, self._name)
        set_addresses(self._api, self._settings, self._report)

    def _find_preview_url(self, version: WorkerVersion) -> str:
        if not (version.has_preview and read_switches(self._api, self._name)["previews_enabled"]):
            return ""
        return get_preview_url(self._settings, self._subdomain, version.alias or version.id[:8])

    def _describe(
        self, version: WorkerVersion, upload: WorkerUpload, *, live: bool, draft: bool = False
    ) -> Deployment:
        preview_url = self._find_preview_url(version)
        url = get_url(self._settings, self._subdomain)
        is_preview = self._request.environment == "preview"
        shown = preview_url if is_preview or not live else url
        tags = DeploymentTags.from_text(upload.message)
        return Deployment(
            target="cloudflare",
            id=version.id,
            url=shown or url,
            environment=self._request.environment,
            created=version.created,
            live=live,
            branch=tags.branch,
            message=tags.message,
            commit=tags.commit,
            fingerprint=self._request.fingerprint,
            reachable=shown.startswith("https://"),
            draft=draft,
        )
