"""Install packages of a lock for the target's platform; uv downloads, checks and unpacks them."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from mastra_core.pipeline import Platform
from mastra_deployer.bundler.resolve.closure import Closure
from mastra_deployer.bundler.resolve.packages import Package
from mastra_deployer.bundler.resolve.pyodide import (
    build_install_arguments,
    is_pyodide,
    strip_compiled_code,
)
from mastra_deployer.bundler.vendor.distributions import Distribution, read_distributions
from mastra_deployer.project.uv import INSTALL_VARIABLES, build_target_arguments, run_uv

__all__ = ("Installed", "install_packages")

Installed = tuple[Path, Distribution]
"""The tree that a distribution is installed in, and the distribution."""


def install_packages(
    packages: Sequence[Package], closure: Closure, platform: Platform, temporary: Path
) -> dict[str, Installed]:
    """Install packages into subdirectories of a temporary directory.

    :param packages: the packages to install.
    :param closure: the locked dependencies, which contain the packages.
    :param platform: the platform to build for.
    :param temporary: the temporary directory, in which each package gets a subdirectory.
    :returns: the installed distributions by the package's key, without those that the target's
        markers exclude.
    """
    tree = temporary / "tree"
    _run_install(packages, closure, platform, tree)
    distributions = read_distributions(tree)
    installed = _match_packages(packages, tree, distributions)
    shared = _find_shared(distributions)
    for number, package in enumerate(packages):
        # Distributions that share a file are installed alone, so that each has its own version.
        if (
            package.key in installed
            and installed[package.key][1].name in shared
            and len(packages) > 1
        ):
            separate = temporary / f"alone-{number}"
            _run_install([package], closure, platform, separate)
            installed.update(_match_packages([package], separate, read_distributions(separate)))
    return installed


def _run_install(
    packages: Sequence[Package], closure: Closure, platform: Platform, tree: Path
) -> None:
    tree.mkdir()
    flags = ["--quiet", "--target", str(tree), "--no-deps", "--link-mode", "copy"]
    flags += ["--preview-features", "pylock", "--only-binary", ":all:"]
    pyodide = is_pyodide(platform)
    target = (
        build_install_arguments(platform)
        if pyodide
        else build_target_arguments(platform.python, platform.wheels)
    )
    environment = {**closure.environment, **INSTALL_VARIABLES}
    run = functools.partial(run_uv, cwd=closure.root, environment=environment)
    texts = [package.text for package in packages if package.text]
    if texts:
        lock = tree.with_name("pylock.toml")
        lock.write_text(
            'lock-version = "1.0"\ncreated-by = "mastra"\n\n' + "".join(texts),
            encoding="utf-8",
            newline="\n",
        )
        run(["pip", "install", *flags, *target, "--requirements", str(lock)])
    if wheels := [str(package.wheel) for package in packages if package.wheel]:
        run(["pip", "install", *flags, *target, *wheels])
    if pyodide:
        strip_compiled_code(tree)


def _match_packages(
    packages: Sequence[Package], tree: Path, distributions: dict[str, Distribution]
) -> dict[str, Installed]:
    return {
        package.key: (tree, distributions[package.name])
        for package in packages
        if package.name in distributions
    }


def _find_shared(distributions: dict[str, Distribution]) -> set[str]:
    """Return the names of distributions that share a file with another distribution."""
    counts = Counter(name for item in distributions.values() for name in set(item.files))
    return {
        item.name for item in distributions.values() if any(counts[name] > 1 for name in item.files)
    }
