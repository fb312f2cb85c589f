"""Downloads Studio's files once, and checks them against a known hash."""

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
from mastra_deployer.files.directories import (
    convert_cache_errors,
    get_cache_directory,
    publish_directory,
)
from mastra_deployer.files.temporary import temporary_directory
from mastra_deployer.kit import connect
from mastra_deployer.kit.http.require_https import is_loopback

__all__ = ("VERSION", "get_studio_files")

VERSION = "1.31.0"
_SHA512 = (
    "7041ac0ee646b079a15fff91f4989316252160801ed8131d9d430628eaaf9141"
    "1979386c57aa58fb151ac2ec48d0b8397eecd0ddf28c149a5db83a53cfe292c9"
)
_PREFIX = "package/dist/studio/"
_REGISTRY = "https://registry.npmjs.org"
_PATH = f"/mastra/-/mastra-{VERSION}.tgz"


def get_studio_files(report: Report) -> Path:
    """Return the directory with Studio's files; download them (5.4 MB) where they are missing.

    ``NPM_CONFIG_REGISTRY`` names another registry, as for npm itself.

    :param report: receives progress.
    :raises ApiError: when the registry rejects the request.
    :raises ConfigError: when the cache cannot be written, or the registry's address is invalid.
    :raises DeployError: when the content differs from what was published.
    """
    directory = get_cache_directory("studio") / VERSION
    if not directory.exists():
        report.step(f"Downloading Mastra Studio {VERSION}")
        content = _download(_get_registry())
        with convert_cache_errors(), temporary_directory(directory.parent) as scratch:
            unpacked = scratch / VERSION
            _unpack(content, unpacked)
            publish_directory(unpacked, directory)
    return directory


def _get_registry() -> str:
    registry = (os.environ.get("NPM_CONFIG_REGISTRY") or _REGISTRY).rstrip("/")
    address = urlsplit(registry)
    is_local = address.scheme == "http" and is_loopback(address.hostname)
    if address.scheme != "https" and not is_local:
        raise ConfigError(
            f"NPM_CONFIG_REGISTRY is {registry!r}, which is not an https:// address.",
            "Set it to an https:// address.",
        )
    return registry


def _download(registry: str) -> bytes:
    """``GET /mastra/-/mastra-VERSION.tgz`` of npm's registry."""
    with connect(registry, name="npm's registry") as client:
        content = client.get(registry + _PATH).content
    if hashlib.sha512(content).hexdigest() != _SHA512:
        raise DeployError(
            f"{registry!r} sent a mastra {VERSION} that differs from the published one.",
            "Run the same command again; if the error stays, ask the registry's operator.",
        )
    return content


def _unpack(content: bytes, directory: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for member in _iter_members(archive):
            archive.extract(member, directory, filter="data")


def _iter_members(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    for member in archive:
        if member.isfile() and member.name.startswith(_PREFIX):
            yield member.replace(name=member.name.removeprefix(_PREFIX), mode=0o644)
