"""Says of a module whether it ships, from where, and why or why not."""

from __future__ import annotations

import ast
import difflib
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from packaging.utils import canonicalize_name

from mastra_core.pipeline import Bundle, Project
from mastra_deployer.bundler.metadata.inventory import Inventory, Listed

__all__ = ("explain",)

_SHOWN = 5


def explain(name: str, inventory: Inventory, project: Project, bundle: Bundle) -> list[str]:
    """What is known of a module, a distribution or a file of the project, in sentences.

    :param name: ``package.module``, ``distribution-name`` or ``src/package/data.json``.
    """
    told = [
        *_own(name, inventory, project),
        *_modules(name, inventory, bundle),
        *_distributions(name, inventory),
    ]
    return list(dict.fromkeys(told)) or [_unknown(name, inventory)]


def _own(name: str, inventory: Inventory, project: Project) -> Iterator[str]:
    """The project's own files: a path, or a dotted name below the import root."""
    root = project.import_root.relative_to(project.root)
    stem = (PurePosixPath(root.as_posix()) / name.replace(".", "/")).as_posix()
    places = {name.rstrip("/"), f"{stem}.py", f"{stem}/__init__.py", stem}
    for file in inventory.app:
        if file in places:
            by = ", ".join(_importers(name, inventory, project)[:_SHOWN])
            yield f"{file} ships: it is the app's own code" + (
                f", imported by {by}." if by else "."
            )
    inside = [file for file in inventory.app if file.startswith(f"{stem}/")]
    if inside and f"{stem}/__init__.py" not in inventory.app:
        yield f"{stem}/ ships, a package without __init__.py: {len(inside)} files."
    for file, reason in inventory.dropped.items():
        if any(place == file or place.startswith(f"{file}/") for place in places):
            yield f"{file} does not ship: {reason}. {_cure(file, reason)}"


def _importers(name: str, inventory: Inventory, project: Project) -> list[str]:
    """Places in the app that import a module of its own by its dotted name."""
    return [
        f"{file}:{line}"
        for file in inventory.app
        if file.endswith(".py")
        for line in _imports(project, file, name)
    ]


def _imports(project: Project, file: str, name: str) -> Iterator[int]:
    package = list((project.root / file).relative_to(project.import_root).parts[:-1])
    try:
        tree = ast.parse((project.root / file).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        found: set[str] = set()
        if isinstance(node, ast.Import):
            found = {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            # One dot is the package itself, each further one a package above it.
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            found = {base, *(f"{base}.{alias.name}" for alias in node.names)}
        if name in found:
            yield node.lineno  # type: ignore[attr-defined]  # both kinds are statements


def _cure(file: str, reason: str) -> str:
    if "exclude" in reason:
        return "Take it out of [tool.mastra.build] exclude to keep it."
    pattern = file if "." in file.rpartition("/")[2] else f"{file}/**/*"
    return f'To keep it: [tool.mastra.build] include = ["{pattern}"].'


def _modules(name: str, inventory: Inventory, bundle: Bundle) -> Iterator[str]:
    """Modules of distributions."""
    if name in sys.stdlib_module_names:
        yield f"{name} is in Python's standard library."
    top, _, rest = name.partition(".")
    for distribution, item in inventory.distributions.items():
        if top not in item.tops:
            continue
        if item.reason or not rest:
            yield _shipped(distribution, item, inventory)
        else:
            yield _submodule(name, distribution, item, bundle)


def _submodule(name: str, distribution: str, item: Listed, bundle: Bundle) -> str:
    stem = name.replace(".", "/")
    vendor = bundle.directory / bundle.manifest.paths[-1]
    found = next(_files_of(vendor, stem), None)
    if found is not None:
        return f"{name} ships: {found} of {distribution} {item.version}."
    for reason, files in item.dropped.items():
        if any(file.startswith((f"{stem}.", f"{stem}/")) for file in files):
            return (
                f"{name} of {distribution} {item.version} does not ship: {reason}. "
                f'To keep all of it: [tool.mastra.build] keep = ["{distribution}"].'
            )
    return f"{distribution} {item.version} ships, and has no module {name}."


def _files_of(vendor: Path, stem: str) -> Iterator[str]:
    for path in (vendor / f"{stem}.py", vendor / stem / "__init__.py", vendor / stem):
        if path.exists():
            yield path.relative_to(vendor).as_posix()
    for path in sorted((vendor / stem).parent.glob(f"{stem.rpartition('/')[2]}.*")):
        yield path.relative_to(vendor).as_posix()  # compiled: its name ends with the platform


def _distributions(name: str, inventory: Inventory) -> Iterator[str]:
    canonical = canonicalize_name(name)
    if canonical in inventory.distributions:
        yield _shipped(canonical, inventory.distributions[canonical], inventory)


def _shipped(name: str, item: Listed, inventory: Inventory) -> str:
    chain = " <- ".join(_chain(name, inventory))
    if item.reason:
        return (
            f"{name} {item.version} does not ship: {item.reason} ({chain}). "
            f'To keep it: add it to the dependencies, or [tool.mastra.build] keep = ["{name}"].'
        )
    dropped = sum(len(files) for files in item.dropped.values())
    left = f", without {dropped} files that cannot run there" if dropped else ""
    return f"{name} {item.version} ships: {item.size / 1e6:.1f} MB{left}; needed by {chain}."


def _chain(name: str, inventory: Inventory) -> list[str]:
    """Who asked for it, up to the project: the shortest way."""
    ways: list[list[str]] = [[name]]
    seen = {name}
    while ways:
        way = ways.pop(0)
        item = inventory.distributions.get(way[-1])
        for other in item.requirers if item else ():
            if not other:
                return [*way[1:], "the project"]
            if other not in seen:
                seen.add(other)
                ways.append([*way, other])
    return ["nothing"]


def _unknown(name: str, inventory: Inventory) -> str:
    tops = {top for item in inventory.distributions.values() for top in item.tops}
    close = difflib.get_close_matches(name, [*tops, *inventory.distributions], 1)
    guess = f" Did you mean {close[0]}?" if close else ""
    return (
        f"{name} is in neither the project nor its dependencies.{guess} "
        "Add the distribution that has it to the dependencies in pyproject.toml."
    )
