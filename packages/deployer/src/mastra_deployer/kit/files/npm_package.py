"""Download pinned packages from the npm registry, without npm."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import hashlib
import os
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from mastra_core.errors import ApiError, ConfigError, DeployError
from mastra_core.pipeline import Report
from mastra_deployer.files.directories import (
    convert_cache_errors,
    get_cache_directory,
    publish_directory,
)
from mastra_deployer.files.temporary import temporary_directory
from mastra_deployer.kit.http.connect import connect
from mastra_deployer.trust.require_https import is_loopback

__all__ = ("NpmPackage", "get_npm_package")

_REGISTRY = "https://registry.npmjs.org"


@dataclasses.dataclass(frozen=True, kw_only=True)
class NpmPackage:
    """One version of a package, and the hash of its published tarball.

    :param name: the name of the package, ``@scope/name`` or ``name``.
    :param version: the version of the package.
    :param integrity: ``sha512-`` and the hash in base64, as in ``dist.integrity`` of npm's
        registry and in ``package-lock.json``.
    :param directory: the directory of the package that is unpacked; if empty, all files are
        unpacked.
    """

    name: str
    version: str
    integrity: str
    directory: str = ""

    @property
    def path(self) -> str:
        """The path of the tarball below the registry's address."""
        return f"/{self.name}/-/{self.name.rpartition('/')[2]}-{self.version}.tgz"


def get_npm_package(package: NpmPackage, report: Report, *, registry: str = "") -> Path:
    """Return the cached directory with the files of a package; download it if necessary.

    No script of the package runs, and its dependencies are not installed. Files keep their
    executable bit.

    :param package: the package.
    :param report: receives progress.
    :param registry: address of a mirror, from a setting. If ``registry`` is empty, the variable
        ``NPM_CONFIG_REGISTRY`` names the registry, as for npm itself. Without
        ``NPM_CONFIG_REGISTRY``, the registry is npm's own.
    :raises ApiError: when the registry rejects the request.
    :raises ConfigError: when the cache cannot be written, or the registry's address is invalid.
    :raises DeployError: when the content differs from what was published.
    """
    key = hashlib.sha256(f"{package}".encode()).hexdigest()[:16]
    name = f"{package.name.replace('/', '-').lstrip('@')}-{package.version}-{key}"
    directory = get_cache_directory("npm") / name
    if not directory.exists():
        address = _get_registry(registry)
        report.step(f"Downloading {package.name} {package.version} from npm")
        with convert_cache_errors(), temporary_directory(directory.parent) as temporary:
            tarball, unpacked = temporary / "package.tgz", temporary / name
            _download(package, address, tarball)
            _unpack(package, tarball, unpacked)
            publish_directory(unpacked, directory)
    return directory


def _get_registry(setting: str) -> str:
    name = "registry" if setting else "NPM_CONFIG_REGISTRY"
    registry = (setting or os.environ.get("NPM_CONFIG_REGISTRY") or _REGISTRY).rstrip("/")
    try:
        address = urlsplit(registry)
        is_local = address.scheme == "http" and is_loopback(address.hostname)
        is_allowed = is_local or (address.scheme == "https" and bool(address.hostname))
    except ValueError:  # brackets without an IPv6 address
        is_allowed = False
    if not is_allowed:
        raise ConfigError(
            f"{name} is {_hide_credentials(registry)!r}, which is not an https:// address.",
            "Set it to an https:// address.",
        )
    return registry


def _hide_credentials(url: str) -> str:
    return re.sub(r"//[^/]*@", "//", url)


def _download(package: NpmPackage, registry: str, file: Path) -> None:
    """Download the tarball of a package, and compare its hash with the published hash."""
    digest = hashlib.sha512()
    with (
        _explain_outage(package),
        connect(registry, name="npm's registry", consent=False) as client,
        # A mirror may redirect to its storage. The hash below verifies the content of any host.
        client.stream("GET", registry + package.path, follow_redirects=True) as response,
        file.open("wb") as target,
    ):
        for chunk in response.iter_bytes():
            digest.update(chunk)
            target.write(chunk)
    if f"sha512-{base64.b64encode(digest.digest()).decode()}" != package.integrity:
        raise DeployError(
            f"{_hide_credentials(registry)!r} sent a {package.name} {package.version} that differs "
            "from the published version.",
            "Run the same command again. If the error remains, ask the operator of the registry.",
        )


@contextlib.contextmanager
def _explain_outage(package: NpmPackage) -> Iterator[None]:
    """Within the block, add the package's name to the error if the registry cannot be reached."""
    try:
        yield
    except ApiError as error:
        if error.status is not None:
            raise
        raise ApiError(
            f"{package.name} {package.version} is not in the cache, and cannot be downloaded from "
            f"the npm registry: {error.message}",
            "Run the same command once with access to the registry. Later runs use the package in "
            "the cache. Or set NPM_CONFIG_REGISTRY to a mirror.",
        ) from error


def _unpack(package: NpmPackage, file: Path, directory: Path) -> None:
    directory.mkdir()
    with tarfile.open(file) as archive:
        for member in _iter_members(archive, package.directory):
            archive.extract(member, directory, filter="data")


def _iter_members(archive: tarfile.TarFile, directory: str) -> Iterator[tarfile.TarInfo]:
    """Yield the files below a directory of the package; the top directory may have any name."""
    prefix = f"{directory.strip('/')}/" if directory else ""
    for member in archive:
        name = member.name.partition("/")[2]
        if member.isfile() and name.startswith(prefix):
            mode = 0o755 if member.mode & 0o100 else 0o644
            yield member.replace(name=name.removeprefix(prefix), mode=mode)
