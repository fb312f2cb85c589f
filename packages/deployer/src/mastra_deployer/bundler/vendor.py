"""The dependencies as a directory: installed, pruned, compiled, and kept for the next build."""

from __future__ import annotations

import functools
import hashlib
import os
from pathlib import Path

from mastra_core.line import Platform, Report
from mastra_deployer.bundler.bytecode import compile_vendor
from mastra_deployer.bundler.closure import Closure
from mastra_deployer.bundler.prune import PRUNE_VERSION, prune
from mastra_deployer.bundler.pyodide import install_arguments, is_pyodide, make_pure
from mastra_deployer.bundler.sources import local_wheel
from mastra_deployer.interpreters import Interpreter
from mastra_deployer.places import cache_directory, publish, scratch_directory
from mastra_deployer.uv import run_uv, target_arguments

__all__ = ("vendor_tree",)


def vendor_tree(
    closure: Closure,
    platform: Platform,
    keep: frozenset[str],
    interpreter: Interpreter | None,
    report: Report,
) -> Path:
    """A finished tree of the closure in the cache; made once for each of its states.

    :param keep: canonical names that are never pruned, beside the direct ones.
    :param interpreter: of the target's version, for bytecode; without one there is none.
    """
    tree = cache_directory("vendor") / _key(closure, platform, keep, interpreter)
    if tree.exists():
        return tree
    report.step("Installing dependencies")
    with scratch_directory(tree.parent) as scratch:
        made = Path(scratch) / "vendor"
        _install(closure, platform, made)
        prune(made, closure.direct, keep, platform)
        if interpreter is not None:
            report.step("Compiling dependencies")
            compile_vendor(made, interpreter)
        _protect(made)
        publish(made, tree)
    return tree


def _protect(made: Path) -> None:
    """Bundles are made of links to these files: writing into one would change the cache."""
    if os.name == "posix":
        for path in made.rglob("*"):
            if path.is_file():
                path.chmod(0o444)


def _install(closure: Closure, platform: Platform, made: Path) -> None:
    made.mkdir()
    lock = made.parent / "pylock.toml"
    lock.write_text(_without_directories(closure.lock.read_text(encoding="utf-8")))
    flags = ["--quiet", "--target", str(made), "--no-deps", "--link-mode", "copy"]
    flags += ["--preview-features", "pylock", "--only-binary", ":all:"]
    pyodide = is_pyodide(platform)
    target = (
        install_arguments(platform)
        if pyodide
        else target_arguments(platform.python, platform.wheels)
    )
    run = functools.partial(run_uv, cwd=closure.root, environment=closure.environment)
    run(["pip", "install", *flags, *target, "--requirements", str(lock)])
    wheels = [local_wheel(directory, platform) for directory in closure.directories]
    if wheels:
        run(["pip", "install", *flags, *target, *map(str, wheels)])
    if pyodide:
        make_pure(made)


def _without_directories(lock: str) -> str:
    """Local projects go in as wheels: uv would build them for this machine, or refuse to."""
    head, *packages = lock.split("[[packages]]\n")
    return "[[packages]]\n".join(
        [head, *(text for text in packages if "directory = {" not in text)]
    )


def _key(
    closure: Closure, platform: Platform, keep: frozenset[str], interpreter: Interpreter | None
) -> str:
    direct = sorted(f"{name}{sorted(extras)}" for name, extras in closure.direct.items())
    facts = [closure.fingerprint, str(platform), PRUNE_VERSION, *direct, *sorted(keep)]
    facts.append(f"{interpreter.full} {interpreter.tag}" if interpreter else "")
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:32]
