"""Build the JSON documents of an image: configs, manifests and indexes."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

__all__ = (
    "CONFIG",
    "INDEX",
    "LAYER",
    "MANIFEST_TYPE",
    "Document",
    "build_index",
    "build_manifest",
    "merge_config",
)

CONFIG = "application/vnd.oci.image.config.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Document:
    """A JSON document of a registry, identified by the digest of its bytes.

    :param content: the bytes of the document.
    :param media_type: media type of the document.
    """

    content: bytes
    media_type: str

    @classmethod
    def from_value(cls, value: Mapping[str, Any], media_type: str) -> Document:
        """Serialize a value, so that equal values always give the same bytes.

        :param value: the JSON object.
        :param media_type: media type of the document.
        :returns: the document.
        """
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return cls(content=text.encode(), media_type=media_type)

    @property
    def digest(self) -> str:
        """The digest of the content, ``sha256:...``."""
        return f"sha256:{hashlib.sha256(self.content).hexdigest()}"

    @property
    def value(self) -> dict[str, Any]:
        """The parsed JSON object."""
        value: dict[str, Any] = json.loads(self.content)
        return value

    def to_descriptor(self, **extra: Any) -> dict[str, Any]:
        """Return the descriptor with which another document refers to this document.

        :param extra: further fields of the descriptor, such as ``platform``.
        :returns: the descriptor.
        """
        size = len(self.content)
        return {"mediaType": self.media_type, "digest": self.digest, "size": size, **extra}


def merge_config(app_config: Mapping[str, Any], base_config: Mapping[str, Any] | None) -> Document:
    """Build the config of an image from the app's config and the base image's config.

    :param app_config: the app's part of the config, as the bundle stores it: ``architecture``,
        ``os``, ``created``, ``config``, ``rootfs`` and ``history``.
    :param base_config: config of the base image; ``None`` for an image without a base.
    :returns: the merged config.
    """
    if base_config is None:
        return Document.from_value(app_config, CONFIG)
    base_container, app_container = base_config.get("config") or {}, app_config["config"]
    # The base's entrypoint would be prepended to the app's command.
    inherited = {
        key: value for key, value in base_container.items() if key not in ("Entrypoint", "OnBuild")
    }
    config = {
        **inherited,
        **app_container,
        "Env": _merge_environment([*(base_container.get("Env") or ()), *app_container["Env"]]),
        "Labels": {**(base_container.get("Labels") or {}), **app_container["Labels"]},
    }
    layers = base_config["rootfs"]["diff_ids"]
    document = {
        **{key: base_config[key] for key in ("variant", "os.version") if key in base_config},
        **app_config,
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [*layers, *app_config["rootfs"]["diff_ids"]]},
        "history": [*_complete_history(base_config, len(layers)), *app_config["history"]],
    }
    return Document.from_value(document, CONFIG)


def _merge_environment(items: Iterable[str]) -> list[str]:
    """Remove all but the last value of each variable."""
    return list({item.partition("=")[0]: item for item in items}.values())


def _complete_history(base: Mapping[str, Any], layers: int) -> list[Any]:
    """Return the base image's history, or a placeholder if the history lacks some layers."""
    history = list(base.get("history") or ())
    if sum(not item.get("empty_layer") for item in history) == layers:
        return history
    return [{"comment": "base image"}] * layers


def build_manifest(
    config: Document, layers: Sequence[Mapping[str, Any]], annotations: Mapping[str, str]
) -> Document:
    """Build the manifest of an image for one platform.

    :param config: config of the image.
    :param layers: descriptors of the layers, the lowest first.
    :param annotations: annotations of the manifest.
    :returns: the manifest.
    """
    value = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": config.to_descriptor(),
        "layers": [dict(layer) for layer in layers],
        "annotations": dict(annotations),
    }
    return Document.from_value(value, MANIFEST_TYPE)


def build_index(manifests: Iterable[Mapping[str, Any]], annotations: Mapping[str, str]) -> Document:
    """Build an index of images for several platforms, in a fixed order.

    :param manifests: descriptors with a ``platform``.
    :param annotations: annotations of the index; may be empty.
    :returns: the index.
    """

    def sort_key(item: Mapping[str, Any]) -> tuple[str, str]:
        return json.dumps(item.get("platform", {}), sort_keys=True), item["digest"]

    value: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": sorted((dict(item) for item in manifests), key=sort_key),
    }
    if annotations:
        value["annotations"] = dict(annotations)
    return Document.from_value(value, INDEX)
