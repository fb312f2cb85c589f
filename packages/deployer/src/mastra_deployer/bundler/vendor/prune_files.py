"""Decide which files of a distribution ship, by their kind and by the code that uses them.

Metadata always ships, because frameworks read it. All modules except tests ship, because a dynamic
import may need them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

import msgspec

from mastra_deployer.bundler.own_wheels import INSTALLER_FILES
from mastra_deployer.bundler.vendor.code_usage import (
    SOURCE_SUFFIXES,
    CodeUsage,
    is_test_directory,
    iter_test_directories,
)
from mastra_deployer.bundler.vendor.distributions import Distribution

__all__ = ("KeepRule", "build_keep_rule", "find_dropped_files")

# Directories and files in packages that coding assistants read. They contain no code.
_GUIDES = frozenset((".agents", ".claude", "AGENTS.md", "CLAUDE.md"))
_HEAD = 512  # bytes of a script that show its interpreter


class KeepRule(msgspec.Struct, frozen=True, kw_only=True):
    """The files of one distribution that ship because other code needs them.

    :param whole: whether all files ship, except those that the installer wrote.
    :param stubs: whether the distribution's type stubs ship.
    :param tests: directories of tests that other code imports.
    """

    whole: bool = False
    stubs: bool = False
    tests: tuple[str, ...] = ()


def build_keep_rule(
    distribution: Distribution,
    modules: Iterable[str],
    others: Iterable[CodeUsage],
    *,
    whole: bool,
) -> KeepRule:
    """Return the files of a distribution that the app or another distribution needs.

    :param distribution: the distribution.
    :param modules: dotted names that the app imports or has in strings.
    :param others: which parts of distributions the other distributions use.
    :param whole: whether the project keeps all files of the distribution.
    """
    if whole:
        return KeepRule(whole=True)
    others = list(others)
    wanted = {folder for module in modules for folder in iter_test_directories(module)}
    wanted.update(folder for item in others for folder in item.tests.get("", ()))
    own = _find_used_tests(distribution.usage.tests, ())
    tests = {folder for folder in wanted if folder.partition("/")[0] in distribution.tops} - own
    return KeepRule(
        stubs=any(item.foreign_stubs for item in others) and not distribution.usage.stubs,
        tests=tuple(sorted(tests)),
    )


def find_dropped_files(distribution: Distribution, tree: Path, rule: KeepRule) -> dict[str, str]:
    """Return the files of a distribution that do not ship, with the reasons.

    :param distribution: the distribution, with the names of its files.
    :param tree: the directory that the distribution is installed in.
    :param rule: the files of the distribution that always ship.
    """
    usage = distribution.usage
    tests = _find_used_tests(usage.tests, rule.tests)
    names = set(distribution.files)
    dropped: dict[str, str] = {}
    for name in distribution.files:
        reason = _get_installer_reason(name, tree)
        if not reason and not rule.whole and ".dist-info/" not in name:
            reason = _get_unused_reason(name, names, tests, usage, stubs=rule.stubs)
        if reason:
            dropped[name] = reason
    return dropped


def _find_used_tests(tests: Mapping[str, tuple[str, ...]], more: Iterable[str]) -> set[str]:
    """Return the directories of tests that other code uses, directly or indirectly."""
    used: set[str] = set()
    pending = {*tests.get("", ()), *more}
    while pending:
        folder = pending.pop()
        used.add(folder)
        pending |= set(tests.get(folder, ())) - used
    return used


def _get_installer_reason(name: str, tree: Path) -> str:
    path = PurePosixPath(name)
    if ".." in path.parts or path.is_absolute():
        return "a file outside of the packages"
    if path.parent.name == "__pycache__":
        return "bytecode of another build"
    if path.parent.suffix == ".dist-info" and path.name in INSTALLER_FILES:
        return "a file of the installer"
    if name.startswith("bin/") and _is_python_script(tree / name):
        return "a script that starts this machine's Python"
    return ""


def _get_unused_reason(
    name: str, names: set[str], tests: set[str], usage: CodeUsage, *, stubs: bool
) -> str:
    path = PurePosixPath(name)
    for number in range(2, len(path.parts)):
        if is_test_directory(path.parts[:number]) and "/".join(path.parts[:number]) not in tests:
            return "tests"
    if _GUIDES.intersection(path.parts):
        return "instructions for coding assistants"
    if path.suffix == ".pyi" and not (stubs or usage.stubs):
        return "type stubs"
    if path.suffix in SOURCE_SUFFIXES and path.name not in usage.sources:
        return "source of compiled code"
    # Without a source beside it, a compiled file is the module itself.
    return "bytecode of another build" if path.suffix == ".pyc" and name[:-1] in names else ""


def _is_python_script(file: Path) -> bool:
    """Return whether a program is a Python script, whose first line has a path of this machine."""
    try:
        with file.open("rb") as script:
            head = script.read(_HEAD)
    except OSError:
        return False
    first, _, rest = head.partition(b"\n")
    # If the path is too long for a first line, a shell replaces itself with Python.
    return first.startswith(b"#!") and (b"python" in first or rest.startswith(b"'''exec'"))
