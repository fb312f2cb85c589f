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
    from mastra_deployer_oci.api.registry import Registry
    from mastra_deployer_oci.deploy.base_image import Base
    from mastra_deployer_oci.deploy.push import Blob
    from mastra_deployer_oci.releases.release_log import Record

__all__ = ("deploy", "plan")


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Image:
    """An image for one platform, ready to be sent.

    :param image: what gets the tags: the manifest, or an index with it and others in it.
    """

    manifest: Document
    image: Document
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
    from mastra_deployer_oci.api.tags import id_of
    from mastra_deployer_oci.deploy.push import push_blobs
    from mastra_deployer_oci.releases.release import deployment_of, go_live
    from mastra_deployer_oci.releases.release_log import Log

    with _made(bundle, settings, credentials, request) as (registry, made):
        report.step("Sending layers")
        push_blobs(registry, made.blobs, report)
        report.step("Tagging")
        for document in {
            made.manifest.digest: made.manifest,
            made.image.digest: made.image,
        }.values():
            registry.put_manifest(document.digest, document)
        registry.put_manifest(id_of(made.image.digest), made.image)
        wanted = _record(settings, request, made)
        record = go_live(registry, Log(registry), wanted, same_app=settings.merge)
        deployment = deployment_of(registry, record, live=True)
        return dataclasses.replace(deployment, next=_next(bundle, registry, record))


def plan(
    bundle: Bundle,
    settings: OciDeployer,
    credentials: Mapping[str, Secret],
    request: DeployRequest,
) -> Plan:
    """What would be sent; the registry is only asked."""
    from mastra_deployer_oci.api.tags import id_of, moved_tag

    with _made(bundle, settings, credentials, request) as (registry, made):
        lacking = [blob for blob in made.blobs if not registry.has_blob(blob.digest)]
        upload = sum(blob.size for blob in lacking if not blob.mount)
        tag = moved_tag(settings.tag, request.environment, request.branch)
        shown = registry.manifest(tag)
        name, own = registry.image.name, id_of(made.image.digest)
        known = registry.manifest(made.image.digest) is not None
        moves = f"{name}:{tag}" if shown is None or shown.digest != made.image.digest else ""
        return Plan(
            creates=(
                *(f"layer {blob.name} ({blob.size / 1e6:.1f} MB)" for blob in lacking),
                *(() if known else (f"{name}:{own}",)),
                *((moves,) if moves and shown is None else ()),
            ),
            changes=(f"{moves}, to {own}",) if moves and shown is not None else (),
            upload=upload,
            present=sum(blob.size for blob in made.blobs) - upload,
            notes=_unset(bundle),
        )


@contextlib.contextmanager
def _made(
    bundle: Bundle,
    settings: OciDeployer,
    credentials: Mapping[str, Secret],
    request: DeployRequest,
) -> Iterator[tuple[Registry, _Image]]:
    """The repository, and the image as it will be there."""
    from mastra_deployer_oci.api.reference import Reference
    from mastra_deployer_oci.api.registry import open_target
    from mastra_deployer_oci.api.tags import moved_tag
    from mastra_deployer_oci.bundle.image_plan import read_parts
    from mastra_deployer_oci.deploy.base_image import find_base, open_base

    parts = read_parts(bundle.directory)
    reference = Reference.parse(parts.base) if parts.base else None
    with contextlib.ExitStack() as stack:
        source, base, also = None, None, ""
        if reference:
            source = stack.enter_context(open_base(reference, settings, credentials))
            base = find_base(source, reference, parts.architecture)
            same = reference.registry == Reference.parse(settings.image).registry
            also = reference.repository if same else ""
        registry = stack.enter_context(open_target(settings, credentials, also=also))
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mastra-base-")))
        blobs = _base_blobs(source, base, registry, scratch)
        tag = moved_tag(settings.tag, request.environment, request.branch)
        merge = tag if settings.merge else ""
        yield registry, _assembled(bundle, registry, base, blobs, merge)


def _base_blobs(
    source: Registry | None, base: Base | None, target: Registry, scratch: Path
) -> list[Blob]:
    from mastra_deployer_oci.deploy.base_image import base_blobs

    return base_blobs(base, source, target, scratch) if base and source else []


def _assembled(
    bundle: Bundle, registry: Registry, base: Base | None, below: list[Blob], merge: str
) -> _Image:
    """The documents, and all that has to be sent for them.

    :param merge: the tag whose images this one is added to; empty for none.
    """
    from mastra_deployer_oci.bundle.image_layout import image_of, platform_of
    from mastra_deployer_oci.bundle.image_plan import read_parts
    from mastra_deployer_oci.deploy.multi_arch import merged

    parts = read_parts(bundle.directory)
    config, manifest = image_of(
        parts,
        base.config if base else None,
        base.layers if base else (),
        base.annotations if base else None,
    )
    children = (manifest.descriptor(platform=platform_of(config.value)),)
    image = manifest
    if merge:
        image = merged(registry, merge, children[0], parts.app)
        children = tuple(image.value["manifests"])
    blobs = (*below, *_own_blobs(bundle), _config_blob(config))
    return _Image(manifest=manifest, image=image, children=children, blobs=blobs)


def _own_blobs(bundle: Bundle) -> list[Blob]:
    from mastra_deployer_oci.bundle.image_plan import BLOBS, read_parts
    from mastra_deployer_oci.deploy.push import Blob

    def file(digest: str) -> Path:
        return bundle.directory / BLOBS / digest.removeprefix("sha256:")

    return [
        Blob(
            name=layer.purpose,
            digest=layer.digest,
            size=layer.size,
            file=lambda digest=layer.digest: file(digest),  # type: ignore[misc]  # a default binds it
        )
        for layer in read_parts(bundle.directory).layers
    ]


def _config_blob(config: Document) -> Blob:
    from mastra_deployer_oci.deploy.push import Blob

    size = len(config.content)
    return Blob(name="config", digest=config.digest, size=size, content=config.content)


def _record(settings: OciDeployer, request: DeployRequest, made: _Image) -> Record:
    from mastra_deployer_oci.api.tags import moved_tag
    from mastra_deployer_oci.releases.release_log import Record

    return Record(
        name="",
        image=made.image.digest,
        event="deploy",
        environment=request.environment,
        moves=moved_tag(settings.tag, request.environment, request.branch),
        created=dt.datetime.now(dt.UTC),
        children=made.children,
        message=request.message,
        branch=request.branch,
        commit=request.git.commit if request.git else "",
        fingerprint=request.fingerprint,
    )


def _next(bundle: Bundle, registry: Registry, record: Record) -> tuple[str, ...]:
    return (f"Run it from {registry.image.name}:{record.moves}", *_unset(bundle))


def _unset(bundle: Bundle) -> tuple[str, ...]:
    """An image holds no values: whoever runs it sets them."""
    required, optional = bundle.manifest.required, bundle.manifest.optional
    told = []
    if required:
        told.append(f"Set where it runs: {', '.join(required)}")
    if optional:
        told.append(f"May be set where it runs: {', '.join(optional)}")
    return tuple(told)
