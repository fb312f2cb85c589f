"""Copy an app's static files to a bundle, and check paths in settings."""

from __future__ import annotations

from pathlib import Path, PurePosixPath, PureWindowsPath
from urllib.parse import unquote

from mastra_core.errors import BundleError
from mastra_core.pipeline import Build, Problem, lay_out

__all__ = ("check_project_path", "copy_static_files", "find_static_file")


def check_project_path(path: str, setting: str) -> Problem | None:
    """Return an error if a path leads out of the project, or else ``None``.

    :param path: a path that is relative to the project, or an empty text.
    :param setting: name of the setting that contains the path; the message names it.
    """
    parts = {*PurePosixPath(path).parts, *PureWindowsPath(path).parts}
    if not (PurePosixPath(path).is_absolute() or PureWindowsPath(path).anchor or ".." in parts):
        return None
    return Problem(
        message=f"{setting}={path!r} is outside of the project.",
        hint="Use a directory inside of the project.",
    )


def copy_static_files(build: Build, static: str, target: Path) -> None:
    """Copy the directory of static files that the platform itself serves.

    :param build: the finished build.
    :param static: the directory, relative to the project; nothing is copied if empty.
    :param target: the directory to create.
    :raises BundleError: when the directory is not in the build.
    """
    if not static:
        return
    source = build.directory / "app" / static
    if not source.is_dir():
        raise BundleError(
            f"The directory {static!r} for static files is not in the build.",
            f'Add the directory: [tool.mastra.build] include = ["{static}/**/*"].',
        )
    lay_out(source, target)


def find_static_file(directory: Path, path: str) -> Path | None:
    """Return the static file that a platform serves for a request, or ``None``.

    :param directory: the directory of the static files, which may not exist.
    :param path: the path of the request as it was sent, with or without a query.
    """
    if not directory.is_dir():
        return None
    root = directory.resolve()
    try:
        file = (root / unquote(path.partition("?")[0]).lstrip("/")).resolve()
        return file if file.is_relative_to(root) and file.is_file() else None
    except (OSError, ValueError):  # a name that is too long, or contains a null byte
        return None
