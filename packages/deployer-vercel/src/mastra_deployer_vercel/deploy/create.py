"""Create a deployment: request it, upload missing files, request it again, and wait."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mastra_core.errors import ApiError, DeploymentFailed
from mastra_core.pipeline import Bundle, DeployRequest, Report
from mastra_deployer.kit import DeploymentTags, create_new, poll, quote_segment, read_object, upload
from mastra_deployer_vercel.api import HINTS
from mastra_deployer_vercel.deploy.archive import ArchivePart
from mastra_deployer_vercel.resources.deployments import (
    FAILED_STATES,
    TAG_FIELDS,
    get_id,
    iter_deployments,
)
from mastra_deployer_vercel.settings import VercelDeployer

if TYPE_CHECKING:
    import httpx

__all__ = (
    "MARK_KEY",
    "build_deployment_body",
    "create_deployment",
    "request_deployment",
    "wait_until_ready",
)

_ROUNDS = 3  # Vercel may still report a file as missing that was just uploaded
_SEARCH_LIMIT = 20  # newest deployments with the mark of the request
MARK_KEY = "mastraMark"
_QUERY = {"prebuilt": "1", "skipAutoDetectionConfirmation": "1", "forceNew": "1"}


def create_deployment(
    client: httpx.Client, body: dict[str, Any], parts: Sequence[ArchivePart], report: Report
) -> dict[str, Any]:
    """Create a deployment, after uploading the parts that Vercel does not have.

    ``POST /v13/deployments``, and ``POST /v2/files`` for each missing part.

    :param client: client of Vercel's API.
    :param body: body of the request, from ``build_deployment_body``.
    :param parts: parts of the archive.
    :param report: receives progress.
    :returns: the new deployment, as Vercel describes it.
    :raises ApiError: when Vercel still misses files after they were uploaded.
    """
    missing_digests: list[str] = []
    for _ in range(_ROUNDS):
        result = request_deployment(client, body)
        if "error" not in result:
            return result
        missing_digests = result["error"]["missing"]
        _send_parts(client, [part for part in parts if part.sha1 in missing_digests], report)
    raise ApiError(
        f"Vercel reports {len(missing_digests)} files as missing after their upload.",
        "Run the same command again. It sends only the missing files.",
    )


def request_deployment(client: httpx.Client, body: dict[str, Any]) -> dict[str, Any]:
    """Request a deployment only once, even after a lost response.

    The request sets a unique mark in the deployment's metadata. If the response is lost, the
    function looks for a new deployment that has the unique mark of the request.

    :param client: client of Vercel's API.
    :param body: body of the request.
    :returns: the new deployment, or ``{"error": {"missing": [...]}}``.
    :raises ApiError: when Vercel rejects the request.
    """
    query = {f"meta-{MARK_KEY}": body["meta"][MARK_KEY]}
    return create_new(
        lambda: iter_deployments(client, str(body["project"]), _SEARCH_LIMIT, **query),
        lambda: _post_deployment(client, body),
        get_id=get_id,
    )


def _post_deployment(client: httpx.Client, body: dict[str, Any]) -> dict[str, Any]:
    query = {**dict(client.params), **_QUERY}
    accept = {"mastra_accept": (400,)}
    response = client.post("/v13/deployments", params=query, json=body, extensions=accept)
    content = read_object(response)
    if response.is_error and "missing" not in (content.get("error") or {}):
        raise _build_api_error(content)
    return content


def _build_api_error(response: Mapping[str, Any]) -> ApiError:
    error = response.get("error") or response.get("err") or {}
    code = str(error.get("code") or "")
    hint = HINTS.get(code) or error.get("action") or "Correct the settings that the message names."
    return ApiError(
        f"Vercel rejected the deployment: {error.get('message')} ({error.get('code')})",
        str(hint),
        status=400,
        code=code,
    )


def _send_parts(client: httpx.Client, parts: Sequence[ArchivePart], report: Report) -> None:
    def post(part: ArchivePart) -> None:
        headers = {"content-type": "application/octet-stream", "x-vercel-digest": part.sha1}
        # Files are named by their content, so the request is safe to repeat.
        extensions = {"mastra_idempotent": True}
        client.post(
            "/v2/files", content=part.file.read_bytes(), headers=headers, extensions=extensions
        )

    report.step("Uploading")
    upload(parts, post, report=report, size=lambda part: part.size, concurrency=5)


def build_deployment_body(
    settings: VercelDeployer,
    project: Mapping[str, Any],
    bundle: Bundle,
    request: DeployRequest,
    parts: Sequence[ArchivePart],
) -> dict[str, Any]:
    """Build the body of the request for a deployment.

    :param settings: settings of the deployer.
    :param project: the project, as Vercel describes it.
    :param bundle: the bundle to deploy.
    :param request: options of the deploy.
    :param parts: parts of the archive.
    :returns: the body of ``POST /v13/deployments``.
    """
    files = [part.to_file_entry() for part in parts]
    identity = f"{bundle.manifest.digest} {request.environment} {request.fingerprint}"
    identity += " staged" if settings.staged else ""
    # Vercel has a field of its own for the commit.
    tags = dataclasses.replace(DeploymentTags.from_request(request), commit="")
    meta = {
        MARK_KEY: hashlib.sha256(identity.encode()).hexdigest()[:16],
        "mastraFiles": json.dumps(files),
        **tags.to_fields(TAG_FIELDS),
    }
    body: dict[str, Any] = {
        "name": settings.project_name,
        "project": project["id"],
        "files": files,
        "meta": meta,
        "projectSettings": {"framework": None},
    }
    # Another deploy may change the project's variables between `set` and this request.
    if request.env:
        body["env"] = {name: value.reveal() for name, value in request.env.items()}
    if request.git is not None:
        body["gitMetadata"] = {
            "commitSha": request.git.commit,
            "commitRef": request.branch or request.git.branch,
            "dirty": request.git.dirty,
        }
        body["meta"] |= {"gitCommitSha": request.git.commit}
    return {**body, **_build_target(settings, request)}


def _build_target(settings: VercelDeployer, request: DeployRequest) -> dict[str, Any]:
    if request.environment == "preview":
        custom = settings.custom_environment
        return {"customEnvironmentSlugOrId": custom} if custom else {}
    assignment = {"autoAssignCustomDomains": False} if settings.staged else {}
    return {"target": "production", **assignment}


def wait_until_ready(
    client: httpx.Client, id: str, settings: VercelDeployer, report: Report
) -> dict[str, Any]:
    """Poll a deployment until it is READY and has its domains: ``GET /v13/deployments/{id}``.

    :param client: client of Vercel's API.
    :param id: id of the deployment.
    :param settings: settings of the deployer; only ``timeout`` is used.
    :param report: receives progress.
    :returns: the deployment, as Vercel describes it.
    :raises DeploymentFailed: when the deployment fails.
    :raises DeployTimeout: when the deployment is not ready in time.
    """
    deployment = poll(
        lambda: read_object(client.get(f"/v13/deployments/{quote_segment(id)}")),
        lambda item: _is_finished(item, settings),
        timeout=settings.timeout,
        description=f"the deployment {id}",
        report=report,
    )
    if problem := _find_problem(deployment):
        raise DeploymentFailed(
            f"Vercel could not make {id} ready: {problem}",
            f"See its log: {deployment.get('inspectorUrl') or 'on vercel.com'}",
        )
    return deployment


def _is_finished(item: Mapping[str, Any], settings: VercelDeployer) -> bool:
    if item.get("readyState") in FAILED_STATES or item.get("aliasError"):
        return True
    if item.get("readyState") != "READY":
        return False
    # The domains of a staged or gradually released deployment are assigned later.
    keeps_domains = item.get("readySubstate") in ("STAGED", "ROLLING") or settings.staged
    return bool(keeps_domains or item.get("aliasAssigned"))


def _find_problem(item: Mapping[str, Any]) -> str:
    if item.get("readyState") in FAILED_STATES:
        message = item.get("errorMessage") or item.get("errorCode") or item["readyState"]
        return f"{message} ({item.get('errorCode') or item['readyState']})."
    error = item.get("aliasError") or {}
    return f"its domains could not be assigned: {error.get('message')}." if error else ""
