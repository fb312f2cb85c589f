"""Explain whether and why a module ships, and where it comes from."""

from __future__ import annotations

import ast
import glob
import os
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from packaging.utils import canonicalize_name

from mastra_core.pipeline import Bundle, Project
from mastra_deployer.bundler.locks.declaration_file import find_declaration_file
from mastra_deployer.bundler.metadata.inventory import Inventory, InventoryEntry
from mastra_deployer.bundler.sources.private_files import is_private
from mastra_deployer.bundler.vendor.required_imports import parse_reason
from mastra_deployer.project.suggest import find_nearest

__all__ = ("explain",)

_MAX_SHOWN = 5
_NO_BYTECODE = (
    "It has no bytecode, since neither a start nor a first request imports it: Python compiles it "
    'on use. For bytecode of all modules: [tool.mastra.build] bytecode = "all".'
)


def explain(name: str, inventory: Inventory, project: Project, bundle: Bundle) -> list[str]:
    """Return sentences that explain why a module, a distribution or a file ships or not.

    :param name: ``package.module``, ``distribution-name`` or ``src/package/data.json``.
    :param inventory: the inventory of the last build.
    :param project: the app.
    :param bundle: the bundle that was made from the last build.
    """
    sentences = [
        *_explain_own_files(name, inventory, project),
        *_explain_modules(name, inventory, bundle),
        *_explain_distribution(name, inventory),
    ]
    if not sentences and (file := _find_project_file(name, project)):
        return [_explain_project_file(file, inventory)]
    return list(dict.fromkeys(sentences)) or [_explain_unknown(name, inventory, project)]


def _explain_own_files(name: str, inventory: Inventory, project: Project) -> Iterator[str]:
    """Explain a file of the project, by its path or by its dotted name below the import root."""
    root = project.import_root.relative_to(project.root)
    stem = (PurePosixPath(root.as_posix()) / name.replace(".", "/")).as_posix()
    names = {name.rstrip("/"), f"{stem}.py", f"{stem}/__init__.py", stem}
    for file in inventory.app:
        if file in names:
            yield _explain_shipped_file(name, file, inventory, project)
    submodules = [file for file in inventory.app if file.startswith(f"{stem}/")]
    if submodules and f"{stem}/__init__.py" not in inventory.app:
        yield f"{stem}/ ships with {len(submodules)} files. It is a package without __init__.py."
    for file, reason in inventory.dropped.items():
        if any(candidate == file or candidate.startswith(f"{file}/") for candidate in names):
            yield f"{file} does not ship: {reason}. {_suggest_fix(file, reason)}"


def _explain_shipped_file(name: str, file: str, inventory: Inventory, project: Project) -> str:
    if file in inventory.included:
        return f"{file} ships: {inventory.included[file]}."
    importers = ", ".join(_find_importers(name, inventory, project)[:_MAX_SHOWN])
    return f"{file} ships: it is the app's own code" + (
        f", imported by {importers}." if importers else "."
    )


def _find_importers(name: str, inventory: Inventory, project: Project) -> list[str]:
    """Return the lines of the app's code that import a module."""
    return [
        f"{file}:{line}"
        for file in inventory.app
        if file.endswith(".py")
        for line in _iter_import_lines(project, file, name)
    ]


def _iter_import_lines(project: Project, file: str, name: str) -> Iterator[int]:
    package = list((project.root / file).relative_to(project.import_root).parts[:-1])
    try:
        tree = ast.parse((project.root / file).read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in ast.walk(tree):
        imported: set[str] = set()
        if isinstance(node, ast.Import):
            imported = {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            # One dot is the package itself, each further one its parent.
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            imported = {base, *(f"{base}.{alias.name}" for alias in node.names)}
        if name in imported:
            yield node.lineno  # type: ignore[attr-defined]  # both kinds are statements


def _suggest_fix(file: str, reason: str) -> str:
    if "exclude" in reason:
        return "Remove it from [tool.mastra.build] exclude to keep it."
    pattern = file if "." in file.rpartition("/")[2] else f"{file}/**/*"
    return f'To keep it: [tool.mastra.build] include = ["{pattern}"].'


def _explain_modules(name: str, inventory: Inventory, bundle: Bundle) -> Iterator[str]:
    """Explain modules of distributions and of the standard library."""
    if name in sys.stdlib_module_names:
        yield f"{name} is in Python's standard library."
    top, _, rest = name.partition(".")
    for distribution, item in inventory.distributions.items():
        if top not in item.tops:
            continue
        if item.reason or not rest:
            yield _describe_distribution(distribution, item, inventory)
        else:
            yield _explain_submodule(name, distribution, item, bundle)


def _explain_submodule(name: str, distribution: str, item: InventoryEntry, bundle: Bundle) -> str:
    stem = name.replace(".", "/")
    vendor = bundle.directory / bundle.manifest.paths[-1]
    file_name = next(_iter_module_files(vendor, stem), None)
    if file_name is not None:
        bytecode = "" if _has_bytecode(vendor / file_name) else f" {_NO_BYTECODE}"
        return f"{name} ships: {file_name} of {distribution} {item.version}.{bytecode}"
    for reason, files in item.dropped.items():
        if any(file.startswith((f"{stem}.", f"{stem}/")) for file in files):
            missing = parse_reason(reason)
            cure = f"To use it: add the package that provides {missing!r} to the dependencies."
            keep = f'To keep all of it: [tool.mastra.build] keep = ["{distribution}"].'
            return (
                f"{name} of {distribution} {item.version} does not ship: {reason}. "
                f"{cure if missing else keep}"
            )
    return f"{distribution} {item.version} ships, and has no module {name}."


def _has_bytecode(file: Path) -> bool:
    """Return whether a module has bytecode; only Python sources need bytecode."""
    return file.suffix != ".py" or any((file.parent / "__pycache__").glob(f"{file.stem}.*.pyc"))


def _iter_module_files(vendor: Path, stem: str) -> Iterator[str]:
    for path in (vendor / f"{stem}.py", vendor / stem / "__init__.py", vendor / stem):
        if path.exists():
            yield path.relative_to(vendor).as_posix()
    name = glob.escape(stem.rpartition("/")[2])
    for path in sorted((vendor / stem).parent.glob(f"{name}.*")):
        yield path.relative_to(vendor).as_posix()  # compiled: its name ends with the platform


def _explain_distribution(name: str, inventory: Inventory) -> Iterator[str]:
    canonical = canonicalize_name(name)
    if canonical in inventory.distributions:
        yield _describe_distribution(canonical, inventory.distributions[canonical], inventory)


def _describe_distribution(name: str, item: InventoryEntry, inventory: Inventory) -> str:
    chain = " <- ".join(_find_requirement_chain(name, inventory))
    if item.reason:
        return (
            f"{name} {item.version} does not ship: {item.reason} ({chain}). "
            f'To keep it: add it to the dependencies, or [tool.mastra.build] keep = ["{name}"].'
        )
    dropped = sum(len(files) for files in item.dropped.values())
    omitted = f", without {dropped} files that serving does not need" if dropped else ""
    return f"{name} {item.version} ships: {item.size / 1e6:.1f} MB{omitted}; needed by {chain}."


def _find_requirement_chain(name: str, inventory: Inventory) -> list[str]:
    """Return the shortest chain of requirements from the project to a distribution."""
    chains: list[list[str]] = [[name]]
    visited = {name}
    while chains:
        chain = chains.pop(0)
        item = inventory.distributions.get(chain[-1])
        for requirer in item.requirers if item else ():
            if not requirer:
                return [*chain[1:], "the project"]
            if requirer not in visited:
                visited.add(requirer)
                chains.append([*chain, requirer])
    return ["nothing"]


def _find_project_file(name: str, project: Project) -> str:
    """Return a file or directory by its path below the project's root; empty if none exists."""
    path = Path(os.path.normpath(project.root / name))
    if path == project.root or not path.is_relative_to(project.root) or not path.exists():
        return ""
    relative = path.relative_to(project.root).as_posix()
    return f"{relative}/" if path.is_dir() else relative


def _explain_project_file(file: str, inventory: Inventory) -> str:
    """Explain a file of the project that is outside of the packages."""
    inside = [name for name in inventory.app if name.startswith(file)]
    if file.endswith("/") and inside:
        reasons = sorted({inventory.included.get(name, "the app's own code") for name in inside})
        return f"{file} ships with {len(inside)} files: {', '.join(reasons)}."
    if is_private(PurePosixPath(file).name):
        return (
            f"{file} does not ship: it may be a secret or a database. Pass values in environment "
            "variables, and keep data in a database outside of the bundle."
        )
    for problem in inventory.problems:
        if f"'{file.rstrip('/')}" in problem.message:
            return f"{file} does not ship: {problem.where} names it. {problem.hint}"
    pattern = f"{file}**/*" if file.endswith("/") else file
    return (
        f"{file} does not ship: it is outside of the packages that the entry reaches, and no code "
        f'in the bundle names it. To ship it: [tool.mastra.build] include = ["{pattern}"].'
    )


def _explain_unknown(name: str, inventory: Inventory, project: Project) -> str:
    tops = {top for item in inventory.distributions.values() for top in item.tops}
    near = find_nearest(name, [*tops, *inventory.distributions])
    guess = f" Did you mean {near}?" if near else ""
    if "/" in name:
        return (
            f"The project has no file {name}, and there is no module or distribution with that "
            "name."
        )
    return (
        f"{name} is neither in the project nor in its dependencies.{guess} Add a distribution with "
        f"this module to the dependencies in {find_declaration_file(project)}."
    )
