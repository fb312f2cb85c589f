"""Decide whether a new build would make the same bundle again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

import mastra_core
import mastra_deployer
from mastra_core.pipeline import Platform, Project, SilentReport, Target
from mastra_deployer.bundler.metadata.build_state import compute_build_fingerprint, hash_code
from mastra_deployer.bundler.resolve.app_dependencies import lock_dependencies
from mastra_deployer.bundler.sources.first_party import collect_sources
from mastra_deployer.bundler.verify.placeholders import build_placeholders
from mastra_deployer.project.entry_points import list_tool_packages
from mastra_deployer.project.environment import read_environment
from mastra_deployer.project.interpreters import (
    Interpreter,
    find_project_interpreter,
    find_target_interpreter,
)

__all__ = ("compute_current_fingerprint", "hash_build_inputs")


def compute_current_fingerprint(
    project: Project, target: Target, platform: Platform, kind: str
) -> str:
    """Return the fingerprint of the current sources and dependencies.

    :param project: the app.
    :param target: the target, whose runtime requirements are included.
    :param platform: the platform to build for.
    :param kind: ``mastra``, ``asgi`` or ``wsgi``.
    """
    sources = collect_sources(project, list_tool_packages())
    modules = sources.collect_modules()
    closure = lock_dependencies(project, target, platform, kind, SilentReport(), modules)
    return compute_build_fingerprint(sources.compute_digest(), closure.fingerprint)


def hash_build_inputs(
    project: Project, platform: Platform, settings: Any, code: tuple[Path, ...]
) -> str:
    """Hash all inputs of a bundle except sources and dependencies.

    :param project: the app.
    :param platform: the platform to build for.
    :param settings: the settings of the target, without secrets.
    :param code: directories and files of the deployer's own code.
    """
    interpreter = find_project_interpreter(project)
    facts = (
        str(platform),
        repr(find_target_interpreter(platform.python, interpreter, platform.interpreter)),
        repr(interpreter),
        _hash_environment(interpreter),
        repr(settings),
        # Their types decide what the start in isolation imports.
        repr(build_placeholders(project.environment.required, read_environment(project))),
        project.entry,
        project.name,
        msgspec.json.encode(project.config, order="sorted").decode(),
        *sorted(_iter_code_hashes(code)),
    )
    return hashlib.sha256("\0".join(facts).encode()).hexdigest()


def _hash_environment(interpreter: Interpreter) -> str:
    """Hash the names of installed distributions, because the source check imports them."""
    prefix = Path(interpreter.path).parent.parent
    directories = [*prefix.glob("lib/python*/site-packages"), prefix / "Lib" / "site-packages"]
    names = [
        entry.name
        for directory in directories
        if directory.is_dir()
        for entry in directory.iterdir()
    ]
    return hashlib.sha256("\0".join(sorted(names)).encode()).hexdigest()


def _iter_code_hashes(paths: tuple[Path, ...]) -> Iterator[str]:
    for package in (mastra_core, mastra_deployer):
        yield hash_code(Path(str(package.__file__)).parent)
    for path in paths:
        yield hash_code(path) if path.is_dir() else hashlib.sha256(path.read_bytes()).hexdigest()
