"""Upload the modules of a Worker once: as a new Worker, or as a new version."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mastra_core.errors import ApiError
from mastra_core.pipeline import Report
from mastra_deployer.kit import create_new, poll
from mastra_deployer_cloudflare.api import Part
from mastra_deployer_cloudflare.deploy.upload_form import WorkerUpload
from mastra_deployer_cloudflare.resources.versions import WorkerState, WorkerVersion, read_state
from mastra_deployer_cloudflare.resources.worker_secrets import list_secret_names, read_bindings

if TYPE_CHECKING:
    from mastra_deployer_cloudflare.api import CloudflareApi

__all__ = ("find_uploaded", "is_complete", "upload_version", "upload_worker")

_STRICT = {"bindings_inherit": "strict"}  # a secret that cannot be taken over is an error
_VISIBLE_SECONDS = 30  # until the list of versions contains a new one


def find_uploaded(state: WorkerState, upload: WorkerUpload) -> WorkerVersion | None:
    """Return the version that an interrupted deploy has uploaded, or ``None``.

    The version must be newer than the current deployment and all other versions, because it has
    copies of the secrets that were live at its upload.

    :param state: the state of the Worker.
    :param upload: the content that this deploy uploads.
    """
    newest = state.versions[0] if state.versions else None
    if newest is None or newest.tag != upload.tag:
        return None
    current = state.current
    is_newer = current is None or newest.created >= current.created
    return newest if is_newer else None


def is_complete(
    api: CloudflareApi, name: str, version: WorkerVersion, upload: WorkerUpload
) -> bool:
    """Return whether a version has all variables and bindings of an upload.

    :param api: Cloudflare's API.
    :param name: the name of the Worker.
    :param version: a version that has the tag of the upload.
    :param upload: the content that this deploy uploads.
    """
    return not _list_missing(api, name, version, upload.names)


def upload_worker(
    api: CloudflareApi, name: str, upload: WorkerUpload, report: Report
) -> WorkerVersion:
    """Upload the first version of a Worker. This version gets all of the Worker's traffic.

    :param api: Cloudflare's API.
    :param name: the name of the Worker.
    :param upload: the modules and the metadata to upload.
    :param report: receives progress.
    """
    parts = upload.build_parts(upload.build_metadata())
    query = {"excludeScript": "true", **_STRICT}
    _report_upload(upload, report)
    version = _upload(api, name, upload, "PUT", "", parts, query)
    _require_bindings(api, name, version, upload.names)
    return version


def upload_version(
    api: CloudflareApi, state: WorkerState, upload: WorkerUpload, report: Report
) -> WorkerVersion:
    """Upload a version without traffic.

    A production version keeps the live version's secrets that the upload does not set. A preview
    keeps no secrets, because its address is public and its code is not reviewed.

    :param api: Cloudflare's API.
    :param state: the state of the Worker.
    :param upload: the modules and the metadata to upload.
    :param report: receives progress.
    """
    inherited = list(_iter_inherited(api, state, upload))
    parts = upload.build_parts(upload.build_metadata(inherited))
    _report_upload(upload, report)
    version = _upload(api, state.name, upload, "POST", "/versions", parts, _STRICT)
    _require_bindings(api, state.name, version, upload.names | {name for name, _ in inherited})
    return version


def _upload(
    api: CloudflareApi,
    name: str,
    upload: WorkerUpload,
    method: str,
    suffix: str,
    parts: list[Part],
    query: dict[str, str],
) -> WorkerVersion:
    """Send the form once; after a lost response, find the version by its tag."""

    def list_same() -> list[WorkerVersion]:
        state = read_state(api, name)
        versions = state.versions if state else ()
        return [item for item in versions if item.tag == upload.tag]

    path, boundary = api.build_script_path(name, suffix), f"mastra-{upload.tag[:32]}"

    def create() -> WorkerVersion:
        item = api.upload(method, path, parts, boundary=boundary, query=query) or {}
        if suffix:
            return WorkerVersion.from_item({"annotations": {}, **item})
        # The response to the first upload does not contain the version.
        return poll(
            list_same, bool, timeout=_VISIBLE_SECONDS, interval=0.5, description="the upload"
        )[0]

    return create_new(list_same, create, get_id=lambda item: item.id)


def _iter_inherited(
    api: CloudflareApi, state: WorkerState, upload: WorkerUpload
) -> Iterator[tuple[str, str]]:
    """Yield name and version of each live secret that a production upload does not set."""
    if state.production is None or upload.stage == "preview":
        return
    for name in list_secret_names(api, state):
        if name not in upload.names:
            yield name, state.production.id


def _list_missing(
    api: CloudflareApi, name: str, version: WorkerVersion, names: frozenset[str]
) -> list[str]:
    """Return the names of variables and bindings that Cloudflare did not store."""
    stored = {str(item["name"]) for item in read_bindings(api, name, version.id)}
    return sorted(names - stored)


def _require_bindings(
    api: CloudflareApi, name: str, version: WorkerVersion, names: frozenset[str]
) -> None:
    if missing := _list_missing(api, name, version, names):
        raise ApiError(
            f"Cloudflare did not store these variables and bindings: {', '.join(missing)}.",
            f"Run the same command again. The version {version.id[:8]} receives no traffic, unless "
            "it is the Worker's first version.",
        )


def _report_upload(upload: WorkerUpload, report: Report) -> None:
    size = f"{upload.size / 1e6:.1f} MB"
    report.step(f"Uploading {len(upload.modules)} modules ({size})")
