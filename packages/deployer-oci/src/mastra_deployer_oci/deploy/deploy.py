"""Puts an image together, sends what the registry lacks, and makes it live."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mastra_core.pipeline import Bundle, Deployment, DeployRequest, Plan, Report
from mastra_core.secret import Secret
from mastra_deployer_oci.settings import OciDeployer

if TYPE_CHECKING:  # the settings class must load without what only deploying needs
    from mastra_deployer_oci.api.documents import Document
    from mastra_deployer_oci.api.repository import Repository
    from mastra_deployer_oci.deploy.base_image import BaseImage
    from mastra_deployer_oci.deploy.push import Blob
    from mastra_deployer_oci.releases.release_log import Record

__all__ = ("deploy", "plan")


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeployImage:
    """An image for one platform, ready to be sent.

    :param image: what gets the tags: the manifest, or an index with it and others in it.
    """

    manifest: Document
    root: Document
    children: tuple[Mapping[str, Any], ...]
    blobs: tuple[Blob, ...]


def deploy(
    bundle: Bundle,
    settings: OciDeployer,
    credentials: Mapping[str, Secret],
    request: DeployRequest,
    report: Report,
) -> Deployment:
    """Send layers, then manifests by digest, then move the tag: only that makes it live."""
    from mastra_deployer_oci.api.tags import build_id
    from mastra_deployer_oci.deploy.push import push_blobs
    from mastra_deployer_oci.releases.release import publish, to_deployment
    from mastra_deployer_oci.releases.release_log import ReleaseLog

    with open_image(bundle, settings, credentials, request) as (registry, image):
        report.step("Sending layers")
        push_blobs(registry, image.blobs, report)
        report.step("Tagging")
        for document in {
            image.manifest.digest: image.manifest,
            image.root.digest: image.root,
        }.values():
            registry.put_manifest(document.digest, document)
        registry.put_manifest(build_id(image.root.digest), image.root)
        event = _build_record(settings, request, image)
        record = publish(registry, ReleaseLog(registry), event, same_app=settings.merge)
        deployment = to_deployment(registry, record, live=True)
        return dataclasses.replace(deployment, next=_list_next_steps(bundle, registry, record))


def plan(
    bundle: Bundle,
    settings: OciDeployer,
    credentials: Mapping[str, Secret],
    request: DeployRequest,
) -> Plan:
    """What would be sent; the registry is only asked."""
    from mastra_deployer_oci.api.tags import build_id, choose_tag

    with open_image(bundle, settings, credentials, request) as (registry, made):
        lacking = [blob for blob in made.blobs if not registry.has_blob(blob.digest)]
        upload = sum(blob.size for blob in lacking if not blob.mount)
        tag = choose_tag(settings.tag, request.environment, request.branch)
        shown = registry.find_manifest(tag)
        name, own = registry.image.name, build_id(made.root.digest)
        known = registry.find_manifest(made.root.digest) is not None
        moves = f"{name}:{tag}" if shown is None or shown.digest != made.root.digest else ""
        return Plan(
            creates=(
                *(f"layer {blob.name} ({blob.size / 1e6:.1f} MB)" for blob in lacking),
                *(() if known else (f"{name}:{own}",)),
                *((moves,) if moves and shown is None else ()),
            ),
            changes=(f"{moves}, to {own}",) if moves and shown is not None else (),
            upload=upload,
            present=sum(blob.size for blob in made.blobs) - upload,
            notes=_list_variables(bundle),
        )


@contextlib.contextmanager
def open_image(
    bundle: Bundle,
    settings: OciDeployer,
    credentials: Mapping[str, Secret],
    request: DeployRequest,
) -> Iterator[tuple[Repository, DeployImage]]:
    """The repository, and the image as it will be there."""
    from mastra_deployer_oci.api.reference import Reference
    from mastra_deployer_oci.api.repository import open_target
    from mastra_deployer_oci.api.tags import choose_tag
    from mastra_deployer_oci.bundle.image_plan import read_plan
    from mastra_deployer_oci.deploy.base_image import load_base, open_base

    image_plan = read_plan(bundle.directory)
    reference = Reference.parse(image_plan.base) if image_plan.base else None
    with contextlib.ExitStack() as stack:
        source, base, mount_from = None, None, ""
        if reference:
            source = stack.enter_context(open_base(reference, settings, credentials))
            base = load_base(source, reference, image_plan.architecture)
            is_same_registry = reference.registry == Reference.parse(settings.image).registry
            mount_from = reference.repository if is_same_registry else ""
        registry = stack.enter_context(open_target(settings, credentials, mount_from=mount_from))
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mastra-base-")))
        blobs = _list_base_blobs(source, base, registry, scratch)
        tag = choose_tag(settings.tag, request.environment, request.branch)
        merge = tag if settings.merge else ""
        yield registry, _assemble_image(bundle, registry, base, blobs, merge)


def _list_base_blobs(
    source: Repository | None, base: BaseImage | None, target: Repository, scratch: Path
) -> list[Blob]:
    from mastra_deployer_oci.deploy.base_image import list_base_blobs

    return list_base_blobs(base, source, target, scratch) if base and source else []


def _assemble_image(
    bundle: Bundle, registry: Repository, base: BaseImage | None, base_blobs: list[Blob], merge: str
) -> DeployImage:
    """The documents, and all that has to be sent for them.

    :param merge: the tag whose images this one is added to; empty for none.
    """
    from mastra_deployer_oci.bundle.image_layout import build_image, extract_platform
    from mastra_deployer_oci.bundle.image_plan import read_plan
    from mastra_deployer_oci.deploy.multi_arch import merge_index

    image_plan = read_plan(bundle.directory)
    config, manifest = build_image(
        image_plan,
        base.config if base else None,
        base.layers if base else (),
        base.annotations if base else None,
    )
    children = (manifest.to_descriptor(platform=extract_platform(config.value)),)
    image = manifest
    if merge:
        image = merge_index(registry, merge, children[0], image_plan.app)
        children = tuple(image.value["manifests"])
    blobs = (*base_blobs, *_list_own_blobs(bundle), _build_config_blob(config))
    return DeployImage(manifest=manifest, root=image, children=children, blobs=blobs)


def _list_own_blobs(bundle: Bundle) -> list[Blob]:
    from mastra_deployer_oci.bundle.image_plan import BLOBS, read_plan
    from mastra_deployer_oci.deploy.push import Blob

    def file(digest: str) -> Path:
        return bundle.directory / BLOBS / digest.removeprefix("sha256:")

    return [
        Blob(
            name=layer.purpose,
            digest=layer.digest,
            size=layer.size,
            fetch_file=lambda digest=layer.digest: file(digest),  # type: ignore[misc]  # a default binds it
        )
        for layer in read_plan(bundle.directory).layers
    ]


def _build_config_blob(config: Document) -> Blob:
    from mastra_deployer_oci.deploy.push import Blob

    size = len(config.content)
    return Blob(name="config", digest=config.digest, size=size, content=config.content)


def _build_record(settings: OciDeployer, request: DeployRequest, image: DeployImage) -> Record:
    from mastra_deployer_oci.api.tags import choose_tag
    from mastra_deployer_oci.releases.release_log import Record

    return Record(
        name="",
        image=image.root.digest,
        event="deploy",
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
    return (f"Run it from {registry.image.name}:{record.moves}", *_list_variables(bundle))


def _list_variables(bundle: Bundle) -> tuple[str, ...]:
    """An image holds no values: whoever runs it sets them."""
    required, optional = bundle.manifest.required, bundle.manifest.optional
    notes = []
    if required:
        notes.append(f"Set where it runs: {', '.join(required)}")
    if optional:
        notes.append(f"May be set where it runs: {', '.join(optional)}")
    return tuple(notes)
