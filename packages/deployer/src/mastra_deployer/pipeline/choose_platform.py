"""Choose the platform that a bundle is built for."""

from __future__ import annotations

import dataclasses
import re
import sys
from typing import Any
from urllib.parse import urlsplit

from mastra_core.errors import ConfigError
from mastra_core.pipeline import Platform, Project, Target
from mastra_deployer.project.discovery import get_config
from mastra_deployer.project.interpreters import (
    Interpreter,
    find_project_interpreter,
    probe_interpreter,
)
from mastra_deployer.trust.require_https import is_loopback

__all__ = ("apply_index_setting", "choose_platform")

_VERSION = re.compile(r"3\.\d+")
_OLDEST_MINOR = 11  # of Python 3: mastra-core and the compiler of a bundle need it
# The platforms that uv chooses wheels for, and a bundle can run on.
_PLATFORM = re.compile(
    r"(x86_64|aarch64)-(manylinux2014|manylinux_2_(17|28|3[1-9]|40)|unknown-linux-(gnu|musl)"
    r"|apple-darwin|pc-windows-msvc)|i686-pc-windows-msvc"
)
# uv's short names.
_ALIASES = {
    "linux": "x86_64-unknown-linux-gnu",
    "macos": "aarch64-apple-darwin",
    "windows": "x86_64-pc-windows-msvc",
}


def choose_platform(
    project: Project, platforms: tuple[Platform, ...], python: str, wheels: str
) -> Platform:
    """Choose the platform to build for: the requested platform, or else the project's own platform.

    :param project: the app.
    :param platforms: the platforms of the target; the first is preferred.
    :param python: ``--python``: a version, or the path of an interpreter; may be empty.
    :param wheels: ``--platform``, in uv's notation; may be empty.
    :raises ConfigError: when the target does not support the requested platform, or no wheels exist
        for the platform.
    """
    interpreter = _probe_option(python)
    project_python = find_project_interpreter(project)
    for item in filter(None, (interpreter, project_python, probe_interpreter(sys.executable))):
        _refuse_free_threading(item)
    wheels = _ALIASES.get(wheels, wheels)
    version = interpreter.python if interpreter else python or _read_configured_version(project)
    candidates = [
        platform
        for platform in platforms
        if _fits(platform.python, version) and _fits(platform.wheels, wheels)
    ]
    if not candidates:
        listed = "; ".join(map(str, platforms))
        raise ConfigError(
            f"The target does not support Python {version or project_python.python} on "
            f"{wheels or project_python.wheels}.",
            f"It supports: {listed}.",
        )
    chosen = next(
        (item for item in candidates if item.python == project_python.python and not version),
        candidates[0],
    )
    if not chosen.wheels:
        _check_wheels(wheels or project_python.wheels)
    built_for = version or chosen.python or project_python.python
    _refuse_old_version(built_for)
    return Platform(
        python=built_for,
        wheels=wheels or chosen.wheels or project_python.wheels,
        interpreter=interpreter.path if interpreter else "",
        index=chosen.index,
    )


def _fits(value: str, request: str) -> bool:
    """Return whether a value of the target fits a request; an empty text stands for any value."""
    return not value or not request or value == request


def apply_index_setting(platform: Platform, target: Target, settings: Any) -> Platform:
    """Return the platform with the package index that the deployer's settings name.

    :param platform: the platform to build for.
    :param target: the target; its ``index_setting`` is the name of the setting.
    :param settings: the deployer's settings.
    :raises ConfigError: for an address without https or with credentials.
    """
    if not target.index_setting:
        return platform
    index = getattr(settings, target.index_setting) or ""
    try:
        address = urlsplit(index)
    except ValueError:  # brackets without an IPv6 address
        raise ConfigError(
            f"The setting {target.index_setting!r} is not an address of a package index.",
            "Set it to the https:// address of a package index.",
        ) from None
    is_local = address.scheme == "http" and is_loopback(address.hostname)
    shown = f"{address.scheme}://{address.hostname or address.path}"
    if address.username is not None:
        raise ConfigError(
            f"The setting {target.index_setting!r} contains credentials for {shown!r}.",
            "Remove the credentials from the address, and write them to ~/.netrc.",
        )
    if index and address.scheme != "https" and not is_local:
        raise ConfigError(
            f"The setting {target.index_setting!r} is {shown!r}, which does not begin with https://.",
            "Set it to the https:// address of a package index.",
        )
    return dataclasses.replace(platform, index=index)


def _check_wheels(wheels: str) -> None:
    """Check that wheels exist for a requested platform that the target itself does not list."""
    if not _PLATFORM.fullmatch(wheels):
        raise ConfigError(
            f"{wheels!r} is not a platform that mastra supports.",
            "Pass --platform with x86_64 or aarch64, such as x86_64-manylinux_2_28, "
            "aarch64-unknown-linux-musl, aarch64-apple-darwin or x86_64-pc-windows-msvc.",
        )


def _refuse_old_version(version: str) -> None:
    if int(version.partition(".")[2]) < _OLDEST_MINOR:
        raise ConfigError(
            f"mastra cannot build for Python {version!r}.",
            f"Build for Python 3.{_OLDEST_MINOR} or newer: pass --python, set [tool.mastra] "
            "python, or create the project's environment with a newer Python.",
        )


def _refuse_free_threading(interpreter: Interpreter) -> None:
    """Refuse a free-threading Python, because uv would choose only wheels for such a Python."""
    if interpreter.is_free_threaded:
        raise ConfigError(
            f"The Python {interpreter.path!r} is a free-threading build, but the wheels of a "
            "bundle need a Python with the GIL.",
            "Create the environment with another Python: uv venv --python "
            f"{interpreter.python}+gil, or python{interpreter.python} -m venv.",
        )


def _read_configured_version(project: Project) -> str:
    version = get_config(project).python
    if version and not _VERSION.fullmatch(version):
        raise ConfigError(
            f"[tool.mastra] python: {version!r} is not a version of Python 3.",
            'Write the major and the minor version: python = "3.12".',
        )
    return version


def _probe_option(python: str) -> Interpreter | None:
    """Return the interpreter of ``--python PATH``; ``None`` if the option is a version or empty."""
    if not python or _VERSION.fullmatch(python):
        return None
    interpreter = probe_interpreter(python)
    if interpreter is None:
        raise ConfigError(
            f"{python!r} is not a working Python interpreter.",
            "Pass --python with the path of an interpreter, or with a version such as 3.12.",
        )
    return interpreter
