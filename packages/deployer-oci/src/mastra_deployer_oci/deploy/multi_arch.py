"""Combine images for several platforms under one tag; each deploy adds one image."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mastra_core.errors import DeployError
from mastra_deployer_oci.api.documents import Document, build_index
from mastra_deployer_oci.api.repository import Repository
from mastra_deployer_oci.bundle.image_layout import extract_platform

__all__ = ("merge_index",)


def merge_index(registry: Repository, tag: str, child: Mapping[str, Any], app: str) -> Document:
    """Add an image to the index of a tag, or replace the image for the same platform.

    :param registry: the target repository.
    :param tag: the tag whose images for other platforms are kept.
    :param child: descriptor of the image to add, with its ``platform``.
    :param app: digest of the app's sources, which all images must share.
    :returns: the index.
    :raises DeployError: when the tag does not exist, or has another version of the app.
    """
    current = registry.find_readable_manifest(tag)
    if current is None:
        raise DeployError(
            f"There is no image {registry.image.name}:{tag} to which this platform can be added.",
            "Deploy the first platform without -s merge=true.",
        )
    others = [
        item for item in _list_children(registry, current) if item["platform"] != child["platform"]
    ]
    for item in others:
        manifest = registry.find_readable_manifest(item["digest"])
        if manifest is None or manifest.value.get("annotations", {}).get("mastra.app") != app:
            raise DeployError(
                f"The image for {item['platform']['architecture']} in {registry.image.name}:{tag} "
                "contains another version of the app, so this platform cannot be added.",
                "Deploy this version for one platform without -s merge=true. Then deploy it for "
                "each other platform with -s merge=true.",
            )
    return build_index([*others, child], {})


def _list_children(registry: Repository, document: Document) -> list[Mapping[str, Any]]:
    if "manifests" in document.value:
        return list(document.value["manifests"])
    config = json.loads(registry.read_blob(document.value["config"]["digest"]))
    return [document.to_descriptor(platform=extract_platform(config))]
