"""Wheels of what is installed or local: our own packages, editable and path dependencies.

A bundle gets exactly the version of mastra-core and mastra-server that mastra runs with,
wherever that came from: a wheel is packed again from the installed files, or built where the
installation is editable. So building works offline and before anything is published.
"""

from __future__ import annotations

import base64
import csv
import functools
import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from email.parser import HeaderParser
from importlib import metadata
from pathlib import Path
from urllib.parse import unquote, urlparse

import msgspec
from packaging.utils import canonicalize_name

from mastra_core.errors import BuildError
from mastra_core.pipeline.file_tree import content_digest
from mastra_deployer.bundler.uv import run_uv
from mastra_deployer.files.checksummed import read_sealed, write_sealed
from mastra_deployer.files.directories import cache_directory, cache_writing, publish
from mastra_deployer.files.temporary import discard, scratch_directory

__all__ = ("build_wheel", "own_wheel", "pack_tree", "tree_digest")

# What an installer adds: it says where and how, and would make two bundles differ.
INSTALLER_FILES = frozenset(
    ("INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json")
)
_SEAL = "wheel.json"
_SKIPPED = frozenset((".git", ".venv", "__pycache__", ".mastra", ".mastra-local"))
_MADE = frozenset(("build", "dist"))  # at the top these are results; deeper they may be packages


@functools.cache
def own_wheel(name: str) -> Path:
    """A wheel of the installed distribution ``name``.

    :raises BuildError: when it is not installed beside mastra, or is incomplete.
    """
    try:
        distribution = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        raise BuildError(
            f"{name} is not installed beside mastra.", f"Install it: pip install {name}."
        ) from None
    source = _editable_source(distribution)
    return build_wheel(source) if source else _packed(distribution)


def build_wheel(source: Path) -> Path:
    """A wheel of the project in ``source``, built once for each state of its files.

    A wheel with compiled code is this machine's; installing it for another one is an error.

    :raises BuildError: when it does not build.
    """

    def make(directory: Path) -> None:
        run_uv(["build", "--quiet", "--wheel", "--out-dir", str(directory), str(source)])

    return _kept(tree_digest(source), make)


def tree_digest(source: Path) -> str:
    """SHA-256 over names and contents of a source tree, leaving out what is never source."""
    digest = hashlib.sha256()
    for path in sorted(source.rglob("*")):
        relative = path.relative_to(source)
        if relative.parts[0] in _MADE or not _SKIPPED.isdisjoint(relative.parts):
            continue
        if path.is_file():
            digest.update(f"{relative.as_posix()}\0".encode())
            digest.update(bytes.fromhex(content_digest(path)))
    return digest.hexdigest()


def _editable_source(distribution: metadata.Distribution) -> Path | None:
    origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    if not origin.get("dir_info", {}).get("editable"):
        return None
    return Path(unquote(urlparse(origin["url"]).path))


def _packed(distribution: metadata.Distribution) -> Path:
    record = distribution.read_text("RECORD")
    if not record:
        raise BuildError(
            f"The installation of {distribution.name} is broken: it has no RECORD.",
            f"Install it again: pip install --force-reinstall {distribution.name}.",
        )
    name = f"{distribution.name.replace('-', '_')}-{distribution.version}-py3-none-any.whl"

    def make(directory: Path) -> None:
        _pack(distribution, directory / name)

    return _kept(hashlib.sha256(record.encode()).hexdigest(), make)


class _Kept(msgspec.Struct, frozen=True):
    """A wheel in the cache."""

    name: str
    sha256: str


def _kept(key: str, make: Callable[[Path], None]) -> Path:
    """The wheel that is kept under ``key``; one that is missing or damaged is made."""
    place = cache_directory("wheels") / key[:32]
    if found := _whole(place):
        return found
    discard(place)
    with cache_writing(), scratch_directory(place.parent) as scratch:
        made = scratch / "made"
        made.mkdir()
        make(made)
        wheel = next(made.glob("*.whl"))
        write_sealed(made / _SEAL, _Kept(wheel.name, content_digest(wheel)))
        publish(made, place)
    return place / wheel.name


def _whole(place: Path) -> Path | None:
    kept = read_sealed(place / _SEAL, _Kept)
    if kept is None:
        return None
    try:
        whole = content_digest(place / kept.name) == kept.sha256
    except OSError:
        return None
    return place / kept.name if whole else None


def _pack(distribution: metadata.Distribution, wheel: Path) -> None:
    """Zip the installed files with a fresh RECORD; names and times are always the same."""
    rows: list[tuple[str, str, int | str]] = []
    record = "RECORD"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(distribution.files or (), key=str):
            name = file.as_posix()
            if name.startswith("..") or file.suffix == ".pyc" or file.name in INSTALLER_FILES:
                continue
            if file.name == "RECORD":
                record = name
                continue
            if file.parts[0] == "bin":  # installers make these from entry_points.txt
                continue
            content = _content(distribution, file)
            rows.append((name, record_hash(content), len(content)))
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
        archive.writestr(zipfile.ZipInfo(record), record_text([*rows, (record, "", "")]))


def pack_tree(tree: Path, directory: Path) -> Path:
    """A wheel of the one distribution that was installed into ``tree``, tagged as it was built."""
    distribution = next(iter(metadata.distributions(path=[str(tree)])))
    tags = HeaderParser().parsestr(distribution.read_text("WHEEL") or "").get_all("Tag") or []
    tag = ".".join(sorted({item.split("-")[0] for item in tags}))
    rest = sorted({item.partition("-")[2] for item in tags})[0]
    stem = canonicalize_name(distribution.name).replace("-", "_")
    name = f"{stem}-{distribution.version}-{tag}-{rest}.whl"
    _pack(distribution, directory / name)
    return directory / name


def _content(distribution: metadata.Distribution, file: metadata.PackagePath) -> bytes:
    try:
        return Path(str(distribution.locate_file(file))).read_bytes()
    except OSError as error:
        raise BuildError(
            f"The installation of {distribution.name} is broken: {file} {error.strerror}.",
            f"Install it again: pip install --force-reinstall {distribution.name}.",
        ) from None


def record_hash(content: bytes) -> str:
    """The hash of a RECORD line."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
    return f"sha256={digest.decode()}"


def record_text(rows: list[tuple[str, str, int | str]]) -> str:
    """A RECORD file of these lines."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
