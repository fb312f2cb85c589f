"""Render the templates of ``mastra new``, which have placeholders such as ``<<name>>``."""

from __future__ import annotations

import contextlib
import os
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path

from packaging.version import Version

from mastra_core.errors import ConfigError
from mastra_deployer.files.directories import build_unwritable_error
from mastra_deployer.files.refuse_links import refuse_links

__all__ = ("get_compatible_range", "is_on_index", "render_template", "write_files")

_TEMPLATES = Path(__file__).parent / "template"
# Braces, dollar and percent signs have a meaning in the rendered files.
_PLACEHOLDER = re.compile(r"^([ \t]*)<<(\w+)>>\n|<<(\w+)>>", re.MULTILINE)


def render_template(template: str, values: Mapping[str, str]) -> dict[str, str]:
    """Render all files of a template, and return their texts by path.

    A line that contains only ``<<name>>`` is replaced with the lines of the value, in the same
    indent. If the value is empty, the line is removed. In a path, ``NAME`` is replaced with the
    name, and ``dot-`` with a dot, because build tools leave hidden files out of a package.

    :param template: a directory below ``template``.
    :param values: text by name of the placeholder.
    """
    root = _TEMPLATES / template
    paths = [path for path in sorted(root.rglob("*")) if path.is_file()]
    return {
        _render_path(path.relative_to(root), values): _PLACEHOLDER.sub(
            lambda match: _render_value(match, values), path.read_text(encoding="utf-8")
        )
        for path in paths
        if "__pycache__" not in path.parts
    }


def write_files(files: Mapping[str, str], directory: Path, *, force: bool = False) -> list[Path]:
    """Write all files below a directory; if one file cannot be written, write none.

    :param files: text by path.
    :param directory: the directory to write into.
    :param force: whether existing files are replaced.
    :returns: the paths of the files.
    :raises ConfigError: if a file exists with other content, a path contains a symbolic link, or a
        file cannot be written.
    """
    targets = {directory / name: text for name, text in files.items()}
    for target, text in targets.items():
        refuse_links(directory.absolute(), target.absolute())
        if target.is_dir():
            raise ConfigError(f"{str(target)!r} is a directory.", "Move it to another place.")
        if target.exists() and not force and target.read_bytes() != text.encode():
            raise ConfigError(
                f"{str(target)!r} exists already.", "Pass --force to replace the file."
            )
    _replace_all(targets)
    return list(targets)


def _replace_all(contents: Mapping[Path, str]) -> None:
    """Write drafts of all files, and give them their names when all are complete."""
    drafts: dict[Path, Path] = {}
    new_directories: list[Path] = []
    try:
        for target, text in contents.items():
            draft = target.with_name(f".{target.name}.mastra-draft")
            _create_directory(target.parent, new_directories)
            drafts[draft] = target
            _write_draft(draft, target, text)
        for draft, target in drafts.items():
            draft.replace(target)
    except BaseException as error:  # also Ctrl-C: hidden drafts would make the directory not empty
        _remove_all(drafts, new_directories)
        if isinstance(error, OSError):
            raise build_unwritable_error(target, error) from None
        raise


def _create_directory(directory: Path, new_directories: list[Path]) -> None:
    """Create a directory, and append each directory that did not exist, the outermost first."""
    missing = [path for path in (directory, *directory.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir()
        new_directories.append(path)


def _write_draft(draft: Path, target: Path, text: str) -> None:
    draft.unlink(missing_ok=True)
    with draft.open("x", encoding="utf-8", newline="\n") as file:  # never through a link
        file.write(text)
    if target.exists():
        draft.chmod(target.stat().st_mode)


def _remove_all(files: Iterable[Path], directories: Sequence[Path]) -> None:
    with contextlib.suppress(OSError):
        for file in files:
            file.unlink(missing_ok=True)
        for directory in reversed(directories):
            directory.rmdir()


def get_compatible_range(distribution: str) -> str:
    """Return the versions that are compatible with the installed one, such as ``>=0.1,<0.2``.

    :param distribution: an installed distribution.
    """
    version = Version(metadata.version(distribution))
    major, minor = version.major, version.minor
    following = f"0.{minor + 1}" if major == 0 else str(major + 1)
    # A range without a pre-release excludes all pre-releases.
    lowest = version.public if version.is_prerelease else f"{major}.{minor}"
    return f">={lowest},<{following}"


def is_on_index(distribution: str) -> bool:
    """Return whether a distribution was installed from a package index.

    Installers record a wheel, a clone or an editable project that they installed. uv also records
    a wheel from a directory of links (``--find-links``). pip does not, so only its variable tells.

    :param distribution: an installed distribution.
    """
    if any(map(os.environ.get, ("UV_FIND_LINKS", "PIP_FIND_LINKS"))):
        return False
    installed = metadata.distribution(distribution)
    return not any(map(installed.read_text, ("direct_url.json", "uv_cache.json")))


def _render_value(match: re.Match[str], values: Mapping[str, str]) -> str:
    indent, alone, inline = match.groups()
    if inline:
        return values[inline]
    text = values[alone]
    return textwrap.indent(text, indent) + "\n" if text else ""


def _render_path(path: Path, values: Mapping[str, str]) -> str:
    parts = [re.sub(r"^dot-", ".", part) for part in path.parts]
    return "/".join(part.replace("NAME", values.get("NAME", "NAME")) for part in parts)
