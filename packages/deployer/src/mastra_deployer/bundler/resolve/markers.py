"""Evaluate environment markers for a target, not for this machine."""

from __future__ import annotations

from collections.abc import Iterable

from packaging.markers import InvalidMarker, Marker, UndefinedEnvironmentName

from mastra_core.errors import ConfigError
from mastra_core.pipeline import Platform
from mastra_deployer.bundler.resolve.pyodide import build_pyodide_environment, is_pyodide

__all__ = ("build_marker_environment", "evaluate_marker")


def build_marker_environment(platform: Platform, release: int = 0) -> dict[str, str]:
    """Return the values of markers on a platform.

    :param platform: the platform of the target.
    :param release: patch release of Python. The default is the first patch release, because a
        bundle must work with every patch release.
    """
    if is_pyodide(platform):
        return build_pyodide_environment(platform)
    machine, _, rest = platform.wheels.partition("-")
    system, name = ("linux", "Linux")
    if "darwin" in rest:
        system, name = "darwin", "Darwin"
        machine = {"aarch64": "arm64"}.get(machine, machine)
    elif "windows" in rest:
        system, name = "win32", "Windows"
        machine = {"x86_64": "AMD64", "aarch64": "ARM64"}.get(machine, machine)
    return {
        "python_version": platform.python,
        "python_full_version": f"{platform.python}.{release}",
        "sys_platform": system,
        "platform_system": name,
        "platform_machine": machine,
        "platform_release": "",
        "platform_version": "",
        "os_name": "nt" if system == "win32" else "posix",
        "implementation_name": "cpython",
        "implementation_version": f"{platform.python}.{release}",
        "platform_python_implementation": "CPython",
    }


def evaluate_marker(
    marker: str,
    platform: Platform,
    extras: Iterable[str] = (),
    groups: Iterable[str] = (),
    release: int = 0,
) -> bool:
    """Return whether a marker of a lock is true on a platform.

    :param marker: the marker.
    :param platform: the platform of the target.
    :param extras: extras that the project asks for.
    :param groups: dependency groups that the project asks for.
    :param release: patch release of the target's Python.
    :raises ConfigError: for a marker that cannot be parsed.
    """
    environment: dict[str, str | frozenset[str]] = {**build_marker_environment(platform, release)}
    sets = {"extras": frozenset(extras), "dependency_groups": frozenset(groups)}
    try:
        return Marker(marker).evaluate({**environment, **sets}, context="lock_file")
    except (InvalidMarker, UndefinedEnvironmentName) as error:
        raise ConfigError(
            f"The marker {marker!r} cannot be parsed: {str(error).splitlines()[0]}.",
            "Recreate the lock with a current version of its tool.",
        ) from None
