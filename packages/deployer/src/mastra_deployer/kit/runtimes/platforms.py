"""The platforms of bundles."""

from __future__ import annotations

from mastra_core.pipeline import Platform

__all__ = ("MANYLINUX_AARCH64", "MANYLINUX_X86_64", "PYODIDE", "manylinux")


def manylinux(machine: str, python: str = "", glibc: str = "2_28") -> Platform:
    """Return the platform for Linux with glibc, as on servers, in containers and in functions.

    :param machine: ``x86_64`` or ``aarch64``.
    :param python: version, such as ``"3.12"``; empty for the version of the project's Python.
    :param glibc: the oldest glibc that the bundle must run with, such as ``"2_28"``; wheels for an
        older glibc are used too.
    """
    return Platform(python=python, wheels=f"{machine}-manylinux_{glibc}")


MANYLINUX_X86_64 = manylinux("x86_64")
MANYLINUX_AARCH64 = manylinux("aarch64")
# Pyodide 314, the Python of Workers: the tag of its wheels names that release's Emscripten ABI.
PYODIDE = Platform(python="3.14", wheels="pyemscripten_2026_0_wasm32")
