"""Make wheels of Mastra's own packages, editable packages and path dependencies.

A bundle gets exactly the installed versions of mastra-core and mastra-server. A wheel is made from
the installed files, or built if the installation is editable. Builds therefore work offline, and
before Mastra's packages are published.
"""

from __future__ import annotations

import base64
import csv
import functools
import hashlib
import io
import json
import os
import re
import stat
import sys
import zipfile
from collections.abc import Callable, Iterator
from email.parser import HeaderParser
from importlib import metadata
from pathlib import Path
from urllib.parse import urlparse

import msgspec
from packaging.utils import canonicalize_name

from mastra_core.errors import BuildError
from mastra_core.pipeline.file_tree import hash_file, is_executable
from mastra_deployer.files.checksummed_json import read_checksummed_json, write_checksummed_json
from mastra_deployer.files.directories import (
    convert_cache_errors,
    get_cache_directory,
    publish_directory,
)
from mastra_deployer.files.temporary import discard_directory, temporary_directory
from mastra_deployer.project.git import describe_version
from mastra_deployer.project.interpreters import Interpreter
from mastra_deployer.project.uv import run_uv

__all__ = ("build_wheel", "get_own_wheel", "hash_tree", "pack_tree")

# An installer writes these files. They contain its paths and the time, so two bundles would differ.
INSTALLER_FILES = frozenset(
    ("INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json")
)
_INDEX = "wheel.json"
_UNIX = 3  # the system that made the archive: installers apply file modes only if it is Unix
_VERSION_VARIABLE = re.compile(r"SETUPTOOLS_SCM_PRETEND_VERSION\w*|PDM_BUILD_SCM_VERSION")
_SKIPPED = frozenset((".git", ".venv", "__pycache__", ".mastra", ".mastra-local"))
# Only at the top of a tree; deeper, directories of these names may be packages.
_BUILD_RESULTS = frozenset(("build", "dist"))


def get_own_wheel(name: str) -> Path:
    """Return a wheel of an installed distribution.

    :param name: the name of the distribution.
    :raises BuildError: when the distribution is not installed beside mastra, or is incomplete.
    """
    return _get_own_wheel(name, get_cache_directory("wheels"))


@functools.cache
def _get_own_wheel(name: str, cache: Path) -> Path:
    """Return a wheel of an installed distribution; the result is cached per cache directory."""
    del cache  # read when the wheel is stored
    try:
        distribution = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        raise BuildError(
            f"{name} is not installed in mastra's environment.",
            f"Install it: pip install {name}.",
        ) from None
    source = _find_editable_source(distribution)
    return build_wheel(source) if source else _pack_installed(distribution)


def build_wheel(source: Path, interpreter: Interpreter | None = None) -> Path:
    """Build a wheel of a local project, once for each state of its files and each Python.

    A wheel with compiled code works only on machines like the one that built it. If the target is
    another machine, the installation of a wheel with compiled code fails.

    :param source: the project's directory.
    :param interpreter: the Python that builds the wheel, and for which code is compiled; mastra's
        own Python if left out.
    :raises BuildError: when the build fails.
    """
    python = interpreter.path if interpreter else sys.executable
    facts = f"{interpreter.python} {interpreter.wheels}" if interpreter else ""

    def create(directory: Path) -> None:
        # Without a Python, uv takes the first one that it finds.
        run_uv(["build", "--wheel", "--python", python, "--out-dir", str(directory), str(source)])

    return _get_cached_wheel(hash_tree(source) + _hash_history(source) + facts, create)


def _hash_history(source: Path) -> str:
    """Hash what a version from git depends on: tags, the commit, and variables."""
    pyproject = source / "pyproject.toml"
    if not pyproject.is_file() or "dynamic" not in pyproject.read_text("utf-8", "replace"):
        return ""
    variables = {
        name: value for name, value in os.environ.items() if _VERSION_VARIABLE.fullmatch(name)
    }
    text = f"{describe_version(source)}\n{sorted(variables.items())}"
    return hashlib.sha256(text.encode()).hexdigest()


def hash_tree(source: Path) -> str:
    """Hash names, contents and executable bits of a source tree, except build results and caches.

    :param source: the tree's directory.
    :returns: SHA-256 in hexadecimal digits.
    """
    digest = hashlib.sha256()
    for path in _iter_source_files(source):
        mode = "755" if is_executable(path, path.stat()) else "644"
        digest.update(os.fsencode(f"{path.relative_to(source).as_posix()}\0{mode} "))
        digest.update(bytes.fromhex(hash_file(path)))
    return digest.hexdigest()


def _iter_source_files(source: Path) -> Iterator[Path]:
    """Yield the files of a source tree in a fixed order; never enter a directory to skip."""
    for folder, names, files in os.walk(source):
        skipped = _SKIPPED | _BUILD_RESULTS if Path(folder) == source else _SKIPPED
        names[:] = sorted(set(names) - skipped)
        paths = (Path(folder, name) for name in sorted(set(files) - skipped))
        yield from (path for path in paths if path.is_file())


def _find_editable_source(distribution: metadata.Distribution) -> Path | None:
    origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    if not origin.get("dir_info", {}).get("editable"):
        return None
    from urllib.request import url2pathname  # the import takes as long as `click`

    return Path(url2pathname(urlparse(origin["url"]).path))


def _pack_installed(distribution: metadata.Distribution) -> Path:
    record = distribution.read_text("RECORD")
    if not record:
        raise BuildError(
            f"The installation of {distribution.name} is broken: it has no RECORD.",
            f"Reinstall it: pip install --force-reinstall {distribution.name}.",
        )
    name = f"{distribution.name.replace('-', '_')}-{distribution.version}-py3-none-any.whl"

    def create(directory: Path) -> None:
        _write_wheel(distribution, directory / name)

    return _get_cached_wheel(hashlib.sha256(record.encode()).hexdigest(), create)


class _CachedWheel(msgspec.Struct, frozen=True):
    """A wheel in the cache."""

    name: str
    sha256: str


def _get_cached_wheel(key: str, create: Callable[[Path], None]) -> Path:
    """Return the cached wheel for ``key``; make the wheel if it is missing or damaged."""
    directory = get_cache_directory("wheels") / hashlib.sha256(key.encode()).hexdigest()[:32]
    if existing := _find_intact_wheel(directory):
        return existing
    discard_directory(directory)
    with convert_cache_errors(), temporary_directory(directory.parent) as temporary:
        staged = temporary / "made"
        staged.mkdir()
        create(staged)
        wheel = next(staged.glob("*.whl"))
        write_checksummed_json(staged / _INDEX, _CachedWheel(wheel.name, hash_file(wheel)))
        publish_directory(staged, directory)
    return directory / wheel.name


def _find_intact_wheel(directory: Path) -> Path | None:
    cached = read_checksummed_json(directory / _INDEX, _CachedWheel)
    if cached is None:
        return None
    try:
        is_intact = hash_file(directory / cached.name) == cached.sha256
    except OSError:
        return None
    return directory / cached.name if is_intact else None


def _write_wheel(distribution: metadata.Distribution, wheel: Path) -> None:
    """Zip the installed files with a new RECORD, in a fixed order and with fixed times."""
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
            if file.parts[0] == "bin":  # installers create these from entry_points.txt
                continue
            content = _read_installed_file(distribution, file)
            rows.append((name, compute_record_hash(content), len(content)))
            entry = _create_entry(name, executable=_is_executable(distribution, file))
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
        content = format_record([*rows, (record, "", "")]).encode()
        archive.writestr(_create_entry(record), content)


def _create_entry(name: str, *, executable: bool = False) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.create_system = _UNIX
    entry.external_attr = (stat.S_IFREG | (0o755 if executable else 0o644)) << 16
    return entry


def _is_executable(distribution: metadata.Distribution, file: metadata.PackagePath) -> bool:
    path = Path(str(distribution.locate_file(file)))
    return is_executable(path, path.stat())


def pack_tree(tree: Path, directory: Path) -> Path:
    """Make a wheel of the only distribution in a tree, with its original tags.

    :param tree: the directory that it is installed in.
    :param directory: the directory that receives the wheel.
    :returns: the wheel.
    """
    distribution = next(iter(metadata.distributions(path=[str(tree)])))
    tags = HeaderParser().parsestr(distribution.read_text("WHEEL") or "").get_all("Tag") or []
    tag = ".".join(sorted({item.split("-")[0] for item in tags}))
    rest = sorted({item.partition("-")[2] for item in tags})[0]
    stem = canonicalize_name(distribution.name).replace("-", "_")
    name = f"{stem}-{distribution.version}-{tag}-{rest}.whl"
    _write_wheel(distribution, directory / name)
    return directory / name


def _read_installed_file(distribution: metadata.Distribution, file: metadata.PackagePath) -> bytes:
    try:
        return Path(str(distribution.locate_file(file))).read_bytes()
    except OSError as error:
        raise BuildError(
            f"The installation of {distribution.name} is broken: {str(file)!r} cannot be read: "
            f"{error.strerror}.",
            f"Reinstall it: pip install --force-reinstall {distribution.name}.",
        ) from None


def compute_record_hash(content: bytes) -> str:
    """Return the hash of a RECORD line.

    :param content: the content of the file.
    """
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
    return f"sha256={digest.decode()}"


def format_record(rows: list[tuple[str, str, int | str]]) -> str:
    """Format a RECORD file.

    :param rows: name, hash and size of each file.
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
