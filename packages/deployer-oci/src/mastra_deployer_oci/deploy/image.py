"""Assemble the image of a deploy: manifest, config and blobs."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mastra_core.errors import ConfigError
from mastra_core.pipeline import Bundle, DeployRequest
from mastra_core.secret import Secret
from mastra_deployer_oci.settings import OciDeployer

if TYPE_CHECKING:  # the settings class must load without what only deploying needs
    from mastra_deployer_oci.api.documents import Document
    from mastra_deployer_oci.api.repository import Repository
    from mastra_deployer_oci.bundle.image_plan import ImagePlan
    from mastra_deployer_oci.deploy.base_image import BaseImage
    from mastra_deployer_oci.deploy.blob import Blob

__all__ = ("DeployImage", "is_draft", "open_image")


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeployImage:
    """An image for one platform that is ready to be pushed.

    :param manifest: manifest of the image.
    :param root: the document that is tagged: the manifest, or an index that contains it.
    :param children: descriptors of the manifests, one for each platform.
    :param blobs: the blobs that must be in the repository before the manifest.
    """

    manifest: Document
    root: Document
    children: tuple[Mapping[str, Any], ...]
    blobs: tuple[Blob, ...]


def is_draft(request: DeployRequest) -> bool:
    """Return whether a deploy to production leaves the production tag unchanged.

    :param request: options of the deploy.
    """
    return request.environment == "production" and not request.promote


@contextlib.contextmanager
def open_image(
    bundle: Bundle,
    settings: OciDeployer,
    credentials: Mapping[str, Secret],
    request: DeployRequest,
) -> Iterator[tuple[Repository, DeployImage]]:
    """Open the target repository, and assemble the image for it.

    :param bundle: the bundle to deploy.
    :param settings: settings of the deployer.
    :param credentials: values of the credentials that are set.
    :param request: options of the deploy.
    :returns: the repository and the image; both are valid only in the ``with`` block.
    :raises ConfigError: when a draft would be merged into the image of a tag.
    """
    from mastra_deployer.kit import temporary_directory
    from mastra_deployer_oci.api.reference import Reference
    from mastra_deployer_oci.api.repository import open_target
    from mastra_deployer_oci.api.tags import choose_tag
    from mastra_deployer_oci.bundle.image_plan import read_plan
    from mastra_deployer_oci.deploy.base_image import load_base, open_base

    if settings.merge and is_draft(request):
        raise ConfigError(
            "merge=true adds a platform to the image of the production tag, but --no-promote must "
            "not change this tag.",
            "Deploy each platform with --preview, and then promote the last deployment.",
        )
    plan = read_plan(bundle.directory)
    reference = Reference.parse(plan.base) if plan.base else None
    with contextlib.ExitStack() as stack:
        source, base, mount_from = None, None, ""
        if reference:
            source = stack.enter_context(open_base(reference, settings, credentials))
            base = load_base(source, reference, plan.architecture)
            is_same_registry = reference.registry == Reference.parse(settings.image).registry
            mount_from = reference.repository if is_same_registry else ""
        registry = stack.enter_context(open_target(settings, credentials, mount_from=mount_from))
        temp_dir = stack.enter_context(temporary_directory())
        blobs = _list_base_blobs(source, base, registry, temp_dir)
        blobs += _list_app_blobs(plan, bundle.directory)
        tag = choose_tag(settings.tag, request.environment, request.branch)
        merge_tag = tag if settings.merge else ""
        yield registry, _assemble_image(plan, registry, base, blobs, merge_tag)


def _list_base_blobs(
    source: Repository | None, base: BaseImage | None, target: Repository, temp_dir: Path
) -> list[Blob]:
    from mastra_deployer_oci.deploy.base_image import list_base_blobs

    return list_base_blobs(base, source, target, temp_dir) if base and source else []


def _assemble_image(
    plan: ImagePlan,
    registry: Repository,
    base: BaseImage | None,
    blobs: list[Blob],
    merge_tag: str,
) -> DeployImage:
    """Build the config and the manifest; with ``merge_tag``, also build the tag's new index."""
    from mastra_deployer_oci.bundle.image_layout import build_image, extract_platform
    from mastra_deployer_oci.deploy.multi_arch import merge_index

    config, manifest = build_image(
        plan,
        base.config if base else None,
        base.layers if base else (),
        base.annotations if base else None,
    )
    children = (manifest.to_descriptor(platform=extract_platform(config.value)),)
    root = manifest
    if merge_tag:
        root = merge_index(registry, merge_tag, children[0], plan.app)
        children = tuple(root.value["manifests"])
    all_blobs = (*blobs, _build_config_blob(config))
    return DeployImage(manifest=manifest, root=root, children=children, blobs=all_blobs)


def _list_app_blobs(plan: ImagePlan, directory: Path) -> list[Blob]:
    from mastra_deployer_oci.bundle.image_plan import BLOBS
    from mastra_deployer_oci.deploy.blob import Blob

    def locate(digest: str) -> Path:
        return directory / BLOBS / digest.removeprefix("sha256:")

    return [
        Blob(
            name=layer.purpose,
            digest=layer.digest,
            size=layer.size,
            fetch_file=functools.partial(locate, layer.digest),
        )
        for layer in plan.layers
    ]


def _build_config_blob(config: Document) -> Blob:
    from mastra_deployer_oci.deploy.blob import Blob

    size = len(config.content)
    return Blob(name="config", digest=config.digest, size=size, content=config.content)
