"""The files of Studio: out of the npm package, once, checked against its known hash."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from mastra_core.errors import ConfigError, DeployError
from mastra_core.pipeline import Report
from mastra_deployer.files.directories import cache_directory, cache_writing, publish
from mastra_deployer.files.temporary import scratch_directory
from mastra_deployer.kit import connect
from mastra_deployer.kit.require_https import is_loopback

__all__ = ("VERSION", "studio_files")

VERSION = "1.31.0"
_SHA512 = (
    "7041ac0ee646b079a15fff91f4989316252160801ed8131d9d430628eaaf9141"
    "1979386c57aa58fb151ac2ec48d0b8397eecd0ddf28c149a5db83a53cfe292c9"
)
_INSIDE = "package/dist/studio/"
_REGISTRY = "https://registry.npmjs.org"
_PATH = f"/mastra/-/mastra-{VERSION}.tgz"


def studio_files(report: Report) -> Path:
    """Where Studio's files lie, loaded from npm's registry (5.4 MB) where they do not yet.

    ``NPM_CONFIG_REGISTRY`` names another registry, as for npm itself.

    :raises ApiError: when the registry refuses.
    :raises ConfigError: when the cache cannot be written, or the registry is none.
    :raises DeployError: when something else came than was published.
    """
    place = cache_directory("studio") / VERSION
    if not place.exists():
        report.step(f"Loading Mastra Studio {VERSION}")
        content = _loaded(_registry())
        with cache_writing(), scratch_directory(place.parent) as scratch:
            made = scratch / VERSION
            _unpack(content, made)
            publish(made, place)
    return place


def _registry() -> str:
    registry = (os.environ.get("NPM_CONFIG_REGISTRY") or _REGISTRY).rstrip("/")
    told = urlsplit(registry)
    if told.scheme != "https" and not (told.scheme == "http" and is_loopback(told.hostname)):
        raise ConfigError(
            f"NPM_CONFIG_REGISTRY is {registry!r}.", "Name a registry by its https:// address."
        )
    return registry


def _loaded(registry: str) -> bytes:
    """``GET /mastra/-/mastra-VERSION.tgz`` of npm's registry."""
    with connect(registry, name="npm's registry") as client:
        content = client.get(registry + _PATH).content
    if hashlib.sha512(content).hexdigest() != _SHA512:
        raise DeployError(
            f"{registry!r} gave another mastra {VERSION} than was published.",
            "Try again; if it stays so, ask whoever runs that registry.",
        )
    return content


def _unpack(content: bytes, place: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for member in _members(archive):
            archive.extract(member, place, filter="data")


def _members(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    for member in archive:
        if member.isfile() and member.name.startswith(_INSIDE):
            yield member.replace(name=member.name.removeprefix(_INSIDE), mode=0o644)
