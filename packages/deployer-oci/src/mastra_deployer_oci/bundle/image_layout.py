"""The bundle as an OCI image layout: blobs by digest, which skopeo, umoci and crane read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mastra_deployer_oci.api.documents import LAYER, Document, config_of, index_of, manifest_of
from mastra_deployer_oci.bundle.image_plan import BLOBS, Parts

__all__ = ("descriptors", "image_of", "platform_of", "write_layout")

_NAME = "org.opencontainers.image.ref.name"


def descriptors(parts: Parts) -> list[dict[str, Any]]:
    """The app's own layers, as a manifest names them."""
    return [
        {"mediaType": LAYER, "digest": layer.digest, "size": layer.size} for layer in parts.layers
    ]


def platform_of(config: Mapping[str, Any]) -> dict[str, str]:
    """What a config says of the machine, as an index writes it."""
    return {key: config[key] for key in ("architecture", "os", "variant") if key in config}


def image_of(
    parts: Parts,
    base: Mapping[str, Any] | None = None,
    below: Sequence[Mapping[str, Any]] = (),
    annotations: Mapping[str, str] | None = None,
) -> tuple[Document, Document]:
    """Config and manifest: a function of the bundle and the base and of nothing else.

    :param base: the base's config.
    :param below: descriptors of the base's layers.
    """
    config = config_of(parts.config, base)
    layers = [*below, *descriptors(parts)]
    return config, manifest_of(config, layers, {"mastra.app": parts.app, **(annotations or {})})


def write_layout(parts: Parts, directory: Path) -> None:
    """Make a bundle a layout; without a base it is a whole image, else only its layers."""
    (directory / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    images = []
    if not parts.base:
        config, manifest = image_of(parts)
        for document in (config, manifest):
            name = document.digest.removeprefix("sha256:")
            (directory / BLOBS / name).write_bytes(document.content)
        platform = platform_of(config.value)
        images = [manifest.descriptor(platform=platform, annotations={_NAME: "latest"})]
    index = index_of(images, {})
    (directory / "index.json").write_text(json.dumps(index.value, indent=2, sort_keys=True) + "\n")
