"""Write the bundle as an OCI image layout, which skopeo, umoci and crane can read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mastra_deployer_oci.api.documents import (
    LAYER,
    Document,
    build_index,
    build_manifest,
    merge_config,
)
from mastra_deployer_oci.bundle.image_plan import BLOBS, ImagePlan

__all__ = ("build_descriptors", "build_image", "extract_platform", "write_layout")

_NAME = "org.opencontainers.image.ref.name"


def build_descriptors(plan: ImagePlan) -> list[dict[str, Any]]:
    """Return the descriptors of the app's own layers.

    :param plan: plan of the image.
    :returns: the descriptors, the lowest layer first.
    """
    return [
        {"mediaType": LAYER, "digest": layer.digest, "size": layer.size} for layer in plan.layers
    ]


def extract_platform(config: Mapping[str, Any]) -> dict[str, str]:
    """Return the ``platform`` of an index entry, from the config of an image.

    :param config: config of an image.
    :returns: ``architecture``, ``os`` and, where given, ``variant``.
    """
    return {key: config[key] for key in ("architecture", "os", "variant") if key in config}


def build_image(
    plan: ImagePlan,
    base: Mapping[str, Any] | None = None,
    base_layers: Sequence[Mapping[str, Any]] = (),
    annotations: Mapping[str, str] | None = None,
) -> tuple[Document, Document]:
    """Build the config and the manifest of an image; equal arguments give equal bytes.

    :param plan: plan of the image.
    :param base: config of the base image; ``None`` without a base image.
    :param base_layers: descriptors of the base image's layers.
    :param annotations: further annotations of the manifest.
    :returns: config and manifest.
    """
    config = merge_config(plan.config, base)
    layers = [*base_layers, *build_descriptors(plan)]
    return config, build_manifest(config, layers, {"mastra.app": plan.app, **(annotations or {})})


def write_layout(plan: ImagePlan, directory: Path) -> None:
    """Write the files of an image layout into a bundle.

    Without a base image, the layout is a complete image. With a base image, the layout has only the
    app's layers.

    :param plan: plan of the image.
    :param directory: directory of the bundle.
    """
    (directory / "oci-layout").write_text(
        '{"imageLayoutVersion":"1.0.0"}', encoding="utf-8", newline="\n"
    )
    images = []
    if not plan.base:
        config, manifest = build_image(plan)
        for document in (config, manifest):
            name = document.digest.removeprefix("sha256:")
            (directory / BLOBS / name).write_bytes(document.content)
        platform = extract_platform(config.value)
        images = [manifest.to_descriptor(platform=platform, annotations={_NAME: "latest"})]
    index = build_index(images, {})
    (directory / "index.json").write_text(
        json.dumps(index.value, indent=2, sort_keys=True) + "\n", encoding="utf-8", newline="\n"
    )
