"""Suggest the entry of a project to a user who has not named it."""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

__all__ = ("suggest_attribute", "suggest_entry")

_APPLICATION = re.compile(
    rb"^(\w+)[ \t]*(?::[^=\n]+)?=[ \t]*(?:\w+\.)*"
    rb"(?:FastAPI|Starlette|Litestar|Quart|Flask|Bottle|get_asgi_application|get_wsgi_application)\(",
    re.MULTILINE,
)
_MAX_FILES = 200
_MAX_BYTES = 100_000  # of each file


def suggest_attribute(entry: str) -> str:
    """Return a complete entry for a module whose application the user has not named.

    :param entry: the text in place of ``module:attribute``, such as ``config.wsgi`` or ``main.py``.
    """
    module = entry.removesuffix(".py").replace("/", ".")
    if not all(part.isascii() and part.isidentifier() for part in module.split(".")):
        return "main:app"
    return f"{module}:{'application' if module.endswith(('asgi', 'wsgi')) else 'app'}"


def suggest_entry(root: Path) -> str:
    """Return a hint that names the applications of other frameworks in a project.

    :param root: the directory of a project without an entry.
    """
    if found := _find_applications(root):
        others = f" (or {', '.join(found[1:3])})" if found[1:] else ""
        return (
            f"Name the application with --app {found[0]}{others}, or set entry in [tool.mastra] of "
            "pyproject.toml."
        )
    return (
        "Create it, or start with: mastra new APP. Or name another module with [tool.mastra] entry "
        "or --app module:attribute."
    )


def _find_applications(root: Path) -> list[str]:
    """Return ``module:attribute`` of each application that the text of a file seems to create.

    The search covers the project's root, ``src``, and the direct subdirectories of both.
    """
    found = []
    for base, path in itertools.islice(_iter_files(root), _MAX_FILES):
        content = b""
        with contextlib.suppress(OSError), path.open("rb") as file:
            content = file.read(_MAX_BYTES)
        module = ".".join(path.relative_to(base).with_suffix("").parts)
        found += [f"{module}:{match[1].decode()}" for match in _APPLICATION.finditer(content)]
    return found


def _iter_files(root: Path) -> Iterator[tuple[Path, Path]]:
    """Yield pairs for the modules of a project: the directory for the import path, and the file."""
    for base in (root, root / "src"):
        for path in (*sorted(base.glob("*.py")), *sorted(base.glob("*/*.py"))):
            parts = path.relative_to(base).with_suffix("").parts
            is_module = all(part.isascii() and part.isidentifier() for part in parts)
            if is_module and parts[0] not in ("src", "test", "tests"):
                yield base, path
