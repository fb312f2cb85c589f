"""Choose the version of macOS that a build may need.

By default, uv resolves for an old version of macOS, but some Pythons compile only for the newest
version. mastra gives uv and the Python the same version, so that a wheel that is compiled here
works in the bundle.
"""

from __future__ import annotations

import os
import platform
import re

from packaging.tags import mac_platforms

from mastra_core.errors import ConfigError

__all__ = ("MACOS_VARIABLE", "get_macos_version", "is_macos")

MACOS_VARIABLE = "MACOSX_DEPLOYMENT_TARGET"
"""The environment variable of compilers and of uv for the oldest version of macOS."""

_DEFAULT = (13, 0)  # for a build on another system; uv assumes the same


def is_macos(wheels: str) -> bool:
    """Return whether a platform is macOS.

    :param wheels: the platform, in uv's notation.
    """
    return wheels.endswith("-apple-darwin")


def get_macos_version() -> tuple[int, int]:
    """Return the oldest version of macOS that a bundle for macOS must run on.

    ``MACOSX_DEPLOYMENT_TARGET`` sets the version. If this variable is not set, the version is that
    of this machine.

    :raises ConfigError: when the variable does not contain a version.
    """
    text = os.environ.get(MACOS_VARIABLE, "")
    if text:
        match = re.fullmatch(r"(\d+)(?:\.(\d+))?(?:\.\d+)?", text)
        if match is None:
            raise ConfigError(
                f"{MACOS_VARIABLE} is {text!r}, which is not a version of macOS.",
                "Set it to a version such as 14.0, or unset it.",
            )
        return int(match[1]), int(match[2] or 0)
    if platform.system() != "Darwin":
        return _DEFAULT
    _, major, minor = next(iter(mac_platforms(arch="x86_64"))).split("_")[:3]
    return int(major), int(minor)
