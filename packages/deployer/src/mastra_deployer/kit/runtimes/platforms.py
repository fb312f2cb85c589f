"""The platforms of bundles."""

from __future__ import annotations

import re

from mastra_core.pipeline import Platform

__all__ = ("MANYLINUX_AARCH64", "MANYLINUX_X86_64", "PYODIDE", "manylinux")


def manylinux(machine: str, python: str = "", glibc: str = "2_28") -> Platform:
    """Return the platform for Linux with glibc, as on servers, in containers and in functions.

    :param machine: ``x86_64`` or ``aarch64``.
    :param python: version, such as ``"3.12"``; empty for the version of the project's Python.
    :param glibc: the oldest glibc that the bundle must run with, such as ``"2_28"``; wheels for an
        older glibc are used too.
    :raises ValueError: when ``machine`` or ``glibc`` cannot be part of the tag of a wheel.
    """
    tag = f"{machine}-manylinux_{glibc}"
    if not re.fullmatch(r"[a-z0-9_]+-manylinux_[0-9]+_[0-9]+", tag):
        raise ValueError(f"{tag!r} is not a tag of wheels, such as 'x86_64-manylinux_2_28'.")
    return Platform(python=python, wheels=tag)


MANYLINUX_X86_64 = manylinux("x86_64")
MANYLINUX_AARCH64 = manylinux("aarch64")
# Pyodide 314, the Python of Workers: the tag of its wheels names that release's Emscripten ABI.
PYODIDE = Platform(python="3.14", wheels="pyemscripten_2026_0_wasm32")
