"""Installs packages of a lock for the target's platform: uv fetches, checks and unpacks them."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from mastra_core.pipeline import Platform
from mastra_deployer.bundler.resolve.closure import Closure
from mastra_deployer.bundler.resolve.packages import Package
from mastra_deployer.bundler.resolve.pyodide import install_arguments, is_pyodide, make_pure
from mastra_deployer.bundler.uv import run_uv, target_arguments
from mastra_deployer.bundler.vendor.distributions import Distribution, read_distributions

__all__ = ("Installed", "install")

Installed = tuple[Path, Distribution]
"""A distribution, and the tree it is installed in."""


def install(
    packages: Sequence[Package], closure: Closure, platform: Platform, scratch: Path
) -> dict[str, Installed]:
    """Install ``packages`` of a closure below ``scratch``; by key of the package.

    What the target has no use for, by its markers, is not among them.
    """
    tree = scratch / "tree"
    _run(packages, closure, platform, tree)
    have = read_distributions(tree)
    found = _matched(packages, tree, have)
    shared = _shared(have)
    for number, package in enumerate(packages):
        # Two distributions have a file in common: each is kept as its own wheel has it.
        if package.key in found and found[package.key][1].name in shared and len(packages) > 1:
            alone = scratch / f"alone-{number}"
            _run([package], closure, platform, alone)
            found.update(_matched([package], alone, read_distributions(alone)))
    return found


def _run(packages: Sequence[Package], closure: Closure, platform: Platform, tree: Path) -> None:
    tree.mkdir()
    flags = ["--quiet", "--target", str(tree), "--no-deps", "--link-mode", "copy"]
    flags += ["--preview-features", "pylock", "--only-binary", ":all:"]
    pyodide = is_pyodide(platform)
    target = (
        install_arguments(platform)
        if pyodide
        else target_arguments(platform.python, platform.wheels)
    )
    run = functools.partial(run_uv, cwd=closure.root, environment=closure.environment)
    texts = [package.text for package in packages if package.text]
    if texts:
        lock = tree.with_name("pylock.toml")
        lock.write_text('lock-version = "1.0"\ncreated-by = "mastra"\n\n' + "".join(texts))
        run(["pip", "install", *flags, *target, "--requirements", str(lock)])
    if wheels := [str(package.wheel) for package in packages if package.wheel]:
        run(["pip", "install", *flags, *target, *wheels])
    if pyodide:
        make_pure(tree)


def _matched(
    packages: Sequence[Package], tree: Path, have: dict[str, Distribution]
) -> dict[str, Installed]:
    return {package.key: (tree, have[package.name]) for package in packages if package.name in have}


def _shared(have: dict[str, Distribution]) -> set[str]:
    """Names of distributions that have a file which another one has too."""
    counts = Counter(name for item in have.values() for name in set(item.files))
    return {item.name for item in have.values() if any(counts[name] > 1 for name in item.files)}
