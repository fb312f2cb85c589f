"""Find the directories from which the modules of a project are imported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

__all__ = ("find_import_root", "list_import_roots")

# Settings of build backends in [tool] whose values are directories with packages.
_DIRECTORIES = (
    ("hatch", "build", "sources"),
    ("hatch", "build", "targets", "wheel", "sources"),
    ("maturin", "python-source"),
    ("pdm", "build", "package-dir"),
    ("setuptools", "package-dir", ""),
    ("setuptools", "packages", "find", "where"),
    ("uv", "build-backend", "module-root"),
)
# Settings whose values are the packages themselves.
_PACKAGES = (
    ("hatch", "build", "targets", "wheel", "packages"),
    ("scikit-build", "wheel", "packages"),
)


def find_import_root(root: Path, pyproject: Mapping[str, Any], module: str) -> Path:
    """Return the directory from which a module of the project is imported.

    :param root: the project's directory.
    :param pyproject: the content of pyproject.toml.
    :param module: the dotted name of the module; may be empty.
    :returns: the project's directory, if no directory contains the module.
    """
    top = module.partition(".")[0]
    for directory in list_import_roots(root, pyproject) if top else ():
        if (directory / top).is_dir() or (directory / f"{top}.py").is_file():
            return directory
    return root


def list_import_roots(root: Path, pyproject: Mapping[str, Any]) -> list[Path]:
    """Return the directories of the project that may contain its packages.

    The first one is ``src``, if it exists. The settings of the build backend name further ones. The
    last one is the project's directory.

    :param root: the project's directory.
    :param pyproject: the content of pyproject.toml.
    """
    tool = pyproject.get("tool", {})
    directories = [root / name for name in ("src", *_iter_configured(tool), "")]
    return [
        path
        for path in dict.fromkeys(directories)
        if ".." not in path.parts and path.is_relative_to(root) and path.is_dir()
    ]


def _iter_configured(tool: Mapping[str, Any]) -> Iterator[str]:
    """Yield the directories that contain the packages according to the build backend."""
    for keys in _DIRECTORIES:
        yield from _iter_texts(_get(tool, keys))
    for keys in _PACKAGES:
        for name in _iter_texts(_get(tool, keys)):
            yield name.strip("/").rpartition("/")[0]
    packages = _get(tool, ("poetry", "packages"))
    for item in packages if isinstance(packages, list) else ():
        yield from _iter_texts(_get(item, ("from",)))


def _get(table: Any, keys: tuple[str, ...]) -> Any:
    """Return a value in nested tables; ``None`` if it is missing."""
    for key in keys:
        table = table.get(key) if isinstance(table, Mapping) else None
    return table


def _iter_texts(value: Any) -> Iterator[str]:
    """Yield a text, the texts in a list, or the keys of a table."""
    items = value if isinstance(value, list | Mapping) else [value]
    yield from (item for item in items if isinstance(item, str))
