"""Decide which files of a distribution ship, by their kind and by the code that uses them.

Metadata always ships, because frameworks read it. All modules ship, because a dynamic import may
need them, except tests and modules whose import fails without a package that does not ship.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

import msgspec
from packaging.utils import canonicalize_name

from mastra_deployer.bundler.own_wheels import INSTALLER_FILES
from mastra_deployer.bundler.vendor.code_usage import (
    SOURCE_SUFFIXES,
    CodeUsage,
    is_test_directory,
    iter_test_directories,
)
from mastra_deployer.bundler.vendor.distributions import Distribution
from mastra_deployer.bundler.vendor.required_imports import format_reason

__all__ = ("KeepRule", "build_keep_rule", "find_dropped_files")

# Directories and files in packages that coding assistants read. They contain no code.
_GUIDES = frozenset((".agents", ".claude", "AGENTS.md", "CLAUDE.md"))
_HEAD = 512  # bytes of a script that show its interpreter


class KeepRule(msgspec.Struct, frozen=True, kw_only=True):
    """The files of one distribution that ship or not because of the other code in the bundle.

    :param whole: whether all files ship, except those that the installer wrote.
    :param stubs: whether the distribution's type stubs ship.
    :param tests: directories of tests that other code imports.
    :param unusable: modules that cannot be imported in the bundle: the file of each module, and the
        dotted name of the missing module that it needs.
    """

    whole: bool = False
    stubs: bool = False
    tests: tuple[str, ...] = ()
    unusable: tuple[tuple[str, str], ...] = ()


def build_keep_rule(
    distribution: Distribution,
    modules: Collection[str],
    distributions: Mapping[str, Distribution],
    *,
    whole: bool = False,
    keep_modules: bool = False,
) -> KeepRule:
    """Return the rule for the files of a distribution in a bundle.

    :param distribution: the distribution.
    :param modules: dotted names that the app imports or has in strings.
    :param distributions: all distributions that ship, by canonical name.
    :param whole: whether the project keeps all files of the distribution.
    :param keep_modules: whether modules ship although they cannot be imported.
    """
    if whole:
        return KeepRule(whole=True)
    others = [other.usage for other in distributions.values() if other is not distribution]
    wanted = {folder for module in modules for folder in iter_test_directories(module)}
    wanted.update(folder for item in others for folder in item.tests.get("", ()))
    own = _find_used_tests(distribution.usage.tests, ())
    tests = {folder for folder in wanted if folder.partition("/")[0] in distribution.tops} - own
    return KeepRule(
        stubs=any(item.foreign_stubs for item in others) and not distribution.usage.stubs,
        tests=tuple(sorted(tests)),
        unusable=()
        if keep_modules
        else tuple(_iter_unusable_modules(distribution, modules, distributions)),
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
    for name, missing in _expand_packages(distribution.files, dropped, rule.unusable).items():
        dropped.setdefault(name, format_reason(missing))
    return dropped


def _iter_unusable_modules(
    distribution: Distribution, modules: Collection[str], distributions: Mapping[str, Distribution]
) -> Iterator[tuple[str, str]]:
    """Yield the modules that need a distribution that neither ships nor belongs to the app.

    A module that the app names is left out of this list, because a missing module is an error that
    the app may handle.
    """
    tops = {top for item in distributions.values() for top in item.tops}
    tops.update(module.partition(".")[0] for module in modules)
    for file, names in distribution.usage.required.items():
        module = file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        missing = (
            name
            for name in names
            if canonicalize_name(name) not in distributions and name.partition(".")[0] not in tops
        )
        name = next(missing, "")
        if name and not any(f"{other}.".startswith(f"{module}.") for other in modules):
            yield file, name


def _expand_packages(
    files: Iterable[str], reasons: Mapping[str, str], unusable: Iterable[tuple[str, str]]
) -> dict[str, str]:
    """Return the modules that cannot be imported, also those in packages that cannot be imported.

    :param files: the files of the distribution.
    :param reasons: the other reasons for which files do not ship.
    :param unusable: files of modules, and the missing module that each of them needs.
    :returns: the missing module by the file of the module that needs it.
    """
    found = dict(unusable)
    for package in [name for name in found if name.endswith("/__init__.py")]:
        folder = package.removesuffix("__init__.py")
        inner = [name for name in files if name.startswith(folder)]
        found |= {name: found[package] for name in inner if name.endswith(".py")}
        # A directory that has other files would become a namespace package, which can be imported.
        if not all(name in found or name in reasons for name in inner):
            del found[package]
    return found


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
