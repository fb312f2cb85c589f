"""Deploy an image: push missing blobs, and then move the tag."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING

from mastra_core.pipeline import Bundle, Deployment, DeployRequest, Report
from mastra_core.secret import Secret
from mastra_deployer_oci.settings import OciDeployer

if TYPE_CHECKING:  # the settings class must load without what only deploying needs
    from mastra_deployer_oci.api.repository import Repository
    from mastra_deployer_oci.deploy.image import DeployImage
    from mastra_deployer_oci.releases.release_log import Record, ReleaseLog

__all__ = ("deploy",)


def deploy(
    bundle: Bundle,
    settings: OciDeployer,
    credentials: Mapping[str, Secret],
    request: DeployRequest,
    report: Report,
) -> Deployment:
    """Push the layers, then the manifests by digest, and then move the tag.

    The image is not live before the tag moves.

    :param bundle: the bundle to deploy.
    :param settings: settings of the deployer.
    :param credentials: values of the credentials that are set.
    :param request: options of the deploy.
    :param report: receives progress.
    :returns: the new deployment.
    :raises ConfigError: when a draft would be merged into the image of a tag.
    """
    from mastra_deployer_oci.api.tags import build_id
    from mastra_deployer_oci.deploy.image import open_image
    from mastra_deployer_oci.deploy.push import push_blobs
    from mastra_deployer_oci.releases.release import publish, record_draft, to_deployment
    from mastra_deployer_oci.releases.release_log import DRAFT, ReleaseLog

    with open_image(bundle, settings, credentials, request) as (registry, image):
        report.step("Pushing layers")
        push_blobs(registry, image.blobs, report)
        event = _build_record(settings, request, image)
        report.step("Moving the tag" if event.event != DRAFT else "Writing the draft")
        documents = {item.digest: item for item in (image.manifest, image.root)}
        for digest, document in documents.items():
            registry.put_manifest(digest, document)
        registry.put_manifest(build_id(image.root.digest), image.root)
        log = ReleaseLog(registry, skip_unreadable=True)
        if event.event == DRAFT:
            live = log.find_manifest(event.moves)
            is_live = live is not None and live.digest == event.image
            record = record_draft(registry, log, event)
            is_draft = not is_live and log.is_draft(record)
            return to_deployment(registry, record, live=is_live, draft=is_draft)
        _warn_about_other_tool(registry, log, event.moves, report)
        record = publish(registry, log, event, same_app=settings.merge)
        _report_unreadable_tags(registry, log, report)
        deployment = to_deployment(registry, record, live=True)
        return dataclasses.replace(deployment, next=_list_next_steps(bundle, registry, record))


def _warn_about_other_tool(registry: Repository, log: ReleaseLog, tag: str, report: Report) -> None:
    """Warn if another tool moved the tag: a rollback cannot restore that tool's image."""
    from mastra_deployer.kit import warn_about_other_tool

    image = log.find_manifest(tag)
    if image is not None:
        warn_about_other_tool(
            report,
            f"tag {registry.image.name}:{tag}",
            [image],
            lambda item: log.find_newest(item.digest, tag) is not None or bool(log.unreadable_tags),
            hint="If it is another app, choose another image or tag. `mastra rollback` cannot "
            f"restore the old image. Its digest is {image.digest}.",
        )


def _report_unreadable_tags(registry: Repository, log: ReleaseLog, report: Report) -> None:
    if log.unreadable_tags:
        report.note(
            f"{registry.image.registry} could not read these tags of {registry.image.name}: "
            f"{', '.join(log.unreadable_tags)}.",
            "The next rollback may need an id: mastra rollback ID.",
        )


def _build_record(settings: OciDeployer, request: DeployRequest, image: DeployImage) -> Record:
    from mastra_deployer_oci.api.tags import choose_tag
    from mastra_deployer_oci.deploy.image import is_draft
    from mastra_deployer_oci.releases.release_log import DRAFT, Record

    return Record(
        name="",
        image=image.root.digest,
        event=DRAFT if is_draft(request) else "deploy",
        environment=request.environment,
        moves=choose_tag(settings.tag, request.environment, request.branch),
        created=dt.datetime.now(dt.UTC),
        children=image.children,
        message=request.message,
        branch=request.branch,
        commit=request.git.commit if request.git else "",
        fingerprint=request.fingerprint,
    )


def _list_next_steps(bundle: Bundle, registry: Repository, record: Record) -> tuple[str, ...]:
    from mastra_deployer_oci.deploy.plan import describe_variables

    return (f"Run it from {registry.image.name}:{record.moves}", *describe_variables(bundle))
