"""Decide whether a start failed because the bundle does not contain a file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from mastra_core.pipeline import Project
from mastra_deployer.bundler.locks.declaration_file import find_declaration_file
from mastra_deployer.bundler.metadata.inventory import Inventory
from mastra_deployer.bundler.vendor.required_imports import parse_reason

__all__ = ("PrunedCause", "find_pruned_cause")

_CANNOT_IMPORT = re.compile(r"cannot import name '(\w+)' from '([\w.]+)'")


class PrunedCause(NamedTuple):
    """The missing file or package that makes a start fail.

    :param message: the file or package that was left out, and the reason.
    :param hint: the setting that keeps the file or package in the bundle.
    """

    message: str
    hint: str


def find_pruned_cause(
    error: Mapping[str, Any], inventory: Inventory, project: Project
) -> PrunedCause | None:
    """Return the missing file or package of a failed start; ``None`` if none is known.

    :param error: the exception as data: message, missing module and frames.
    :param inventory: the inventory of the build.
    :param project: the app.
    """
    text = str(error["message"])
    if found := _CANNOT_IMPORT.search(text):
        module = f"{found[2]}.{found[1]}"
    else:
        module = str(error["missing"] or "")
    if module:
        return _find_module(module, inventory, project)
    frames = [str(frame[0]) for frame in error["frames"]]
    return next(_iter_named_files(text, frames, inventory), None)


def _find_module(module: str, inventory: Inventory, project: Project) -> PrunedCause | None:
    stem, top = module.replace(".", "/"), module.partition(".")[0]
    own = (project.import_root.relative_to(project.root) / stem).as_posix()
    for file, reason in inventory.dropped.items():
        if file in (f"{own}.py", own) or own.startswith(f"{file}/"):
            name = own if file == own else f"{own}.py"
            return PrunedCause(f"{file!r} does not ship: {reason}.", _suggest_own(name, reason))
    for name, item in inventory.distributions.items():
        if item.reason and top in item.tops:
            return PrunedCause(f"{name!r} does not ship: {item.reason}.", _suggest_keep(name))
        for reason, files in item.dropped.items():
            if any(file.startswith((f"{stem}.", f"{stem}/")) for file in files):
                return PrunedCause(
                    f"{module!r} of {name!r} does not ship: {reason}.",
                    _suggest_module(name, reason, project),
                )
    return None


def _iter_named_files(text: str, frames: list[str], inventory: Inventory) -> Iterator[PrunedCause]:
    """Yield the files that a message names, by their path or by their name in a package."""
    for name, item in inventory.distributions.items():
        is_running = any(f"/vendor/{top}" in frame for top in item.tops for frame in frames)
        for reason, files in item.dropped.items():
            by_name = is_running and not parse_reason(
                reason
            )  # the name of a module is no file name
            for file in files:
                if file in text or (by_name and PurePosixPath(file).name in text):
                    yield PrunedCause(
                        f"{file!r} of {name!r} does not ship: {reason}.", _suggest_keep(name)
                    )


def _suggest_module(name: str, reason: str, project: Project) -> str:
    if missing := parse_reason(reason):
        return (
            f"Add the package that provides {missing!r} to the dependencies in "
            f"{find_declaration_file(project)}."
        )
    return _suggest_keep(name)


def _suggest_keep(name: str) -> str:
    return f'Keep the whole distribution: [tool.mastra.build] keep = ["{name}"].'


def _suggest_own(name: str, reason: str) -> str:
    if "exclude" in reason:
        return "Remove it from [tool.mastra.build] exclude, or remove the import."
    pattern = name if name.endswith(".py") else f"{name}/**/*"
    return f'Add it: [tool.mastra.build] include = ["{pattern}"].'
