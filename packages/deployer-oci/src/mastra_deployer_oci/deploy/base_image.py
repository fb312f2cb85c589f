"""Load the base image from its registry."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mastra_core.errors import DeployError
from mastra_core.secret import Secret
from mastra_deployer_oci.api.docker_auth import find_stored_login
from mastra_deployer_oci.api.documents import Document
from mastra_deployer_oci.api.reference import DIGEST, Reference
from mastra_deployer_oci.api.repository import Repository, open_repository, open_target
from mastra_deployer_oci.deploy.blob import Blob
from mastra_deployer_oci.settings import OciDeployer

__all__ = ("BaseImage", "list_base_blobs", "load_base", "open_base")

_LAYERS = {
    "application/vnd.docker.image.rootfs.diff.tar.gzip": "tar+gzip",
    "application/vnd.docker.image.rootfs.diff.tar": "tar",
    "application/vnd.oci.image.layer.v1.tar+gzip": "tar+gzip",
    "application/vnd.oci.image.layer.v1.tar+zstd": "tar+zstd",
    "application/vnd.oci.image.layer.v1.tar": "tar",
}
_OCI_LAYER = "application/vnd.oci.image.layer.v1."
_MAX_LAYER = 1 << 34  # bytes; the largest layer that the large registries accept is smaller


@dataclasses.dataclass(frozen=True, kw_only=True)
class BaseImage:
    """A base image for one platform.

    :param reference: reference of the image.
    :param digest: digest of the base image's manifest.
    :param config: the config of the base image.
    :param layers: descriptors of the base image's layers, with OCI media types.
    """

    reference: Reference
    digest: str
    config: Mapping[str, Any]
    layers: tuple[Mapping[str, Any], ...]

    @property
    def annotations(self) -> dict[str, str]:
        """The annotations of an image that name its base image."""
        return {
            "org.opencontainers.image.base.name": str(self.reference),
            "org.opencontainers.image.base.digest": self.digest,
        }


def open_base(
    reference: Reference, settings: OciDeployer, credentials: Mapping[str, Secret]
) -> Repository:
    """Open the repository of the base image.

    The deploy's credentials are used only if the base image is in the target's registry.

    :param reference: reference of the base image.
    :param settings: settings of the deployer.
    :param credentials: values of the credentials that are set.
    :returns: the repository, to be closed by the caller.
    """
    if reference.registry == Reference.parse(settings.image).registry:
        base_settings = dataclasses.replace(settings, image=reference.name)
        return open_target(base_settings, credentials, actions="pull")
    return open_repository(reference, find_stored_login(reference.registry))


def load_base(registry: Repository, reference: Reference, architecture: str) -> BaseImage:
    """Load config and layer descriptors of the base image.

    :param registry: repository of the base image.
    :param reference: reference of the base image.
    :param architecture: architecture of the image, ``amd64`` or ``arm64``.
    :returns: the base image.
    :raises DeployError: when the image does not exist, has no variant for the architecture, or has
        an unsupported format.
    """
    document = registry.find_manifest(reference.pointer)
    if document is None:
        raise DeployError(
            f"The base image {str(reference)!r} does not exist.",
            "Check its name and tag in -s base=..., or use no base image: -s base=scratch+python.",
        )
    if "manifests" in document.value:
        document = _select_platform(registry, document, reference, architecture)
    manifest = document.value
    if "config" not in manifest or "layers" not in manifest:
        raise DeployError(
            f"The base image {str(reference)!r} has an unsupported manifest format.",
            "Use an image in OCI format, or in Docker's format with schema version 2.",
        )
    config = json.loads(registry.read_blob(manifest["config"]["digest"]))
    if config.get("architecture") != architecture:
        raise _build_platform_error(reference, architecture, [str(config.get("architecture"))])
    layers = tuple(_to_oci_layer(item, reference) for item in manifest["layers"])
    return BaseImage(reference=reference, digest=document.digest, config=config, layers=layers)


def _select_platform(
    registry: Repository, index: Document, reference: Reference, architecture: str
) -> Document:
    candidates = [item for item in index.value["manifests"] if "platform" in item]
    for item in candidates:
        platform = item["platform"]
        if (platform.get("os"), platform.get("architecture")) == ("linux", architecture):
            document = registry.find_manifest(item["digest"])
            if document is not None:
                return document
    raise _build_platform_error(
        reference, architecture, [item["platform"].get("architecture", "") for item in candidates]
    )


def _build_platform_error(
    reference: Reference, architecture: str, architectures: list[str]
) -> DeployError:
    available = ", ".join(sorted(set(architectures) - {"unknown"})) or "none"
    return DeployError(
        f"The base image {str(reference)!r} is not for linux/{architecture}.",
        f"It exists for {available}. Use another base image or another --platform.",
    )


def _to_oci_layer(item: Mapping[str, Any], reference: Reference) -> Mapping[str, Any]:
    suffix, size = _LAYERS.get(item["mediaType"]), item["size"]
    if type(size) is not int or not 0 <= size <= _MAX_LAYER:
        raise DeployError(
            f"The base image {str(reference)!r} has a layer of size {size!r}.",
            "Use another base image, or no base image: -s base=scratch+python.",
        )
    if suffix is None or not DIGEST.fullmatch(item["digest"]):  # digests become file names
        raise DeployError(
            f"The base image {str(reference)!r} has a layer of type {item['mediaType']!r}, which "
            "cannot be pushed to another registry.",
            "Use a base image whose layers may be pushed to other registries.",
        )
    return {"mediaType": _OCI_LAYER + suffix, "digest": item["digest"], "size": size}


def list_base_blobs(
    base: BaseImage, source: Repository, target: Repository, temp_dir: Path
) -> list[Blob]:
    """Return the base image's layers as blobs to push.

    If both repositories are in the same registry, the registry mounts the layers. Otherwise, mastra
    downloads each layer when it is needed.

    :param base: the base image.
    :param source: repository of the base image.
    :param target: repository to push to.
    :param temp_dir: directory for downloaded layers.
    :returns: one blob for each layer.
    """
    mount = base.reference.repository if _is_same_registry(source, target) else ""
    return [
        Blob(
            name=f"base {number}",
            digest=item["digest"],
            size=item["size"],
            fetch_file=functools.partial(_download_layer, source, item, temp_dir),
            mount=mount,
        )
        for number, item in enumerate(base.layers, 1)
    ]


def _download_layer(source: Repository, item: Mapping[str, Any], temp_dir: Path) -> Path:
    digest: str = item["digest"]
    path = temp_dir / digest.removeprefix("sha256:")
    if not path.exists():
        draft = path.with_suffix(".part")
        source.download(digest, item["size"], draft)
        draft.rename(path)
    return path


def _is_same_registry(source: Repository, target: Repository) -> bool:
    return source.image.registry == target.image.registry
