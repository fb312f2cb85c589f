"""What builds are staged for, by the names that platforms go by."""

from __future__ import annotations

from mastra_core.pipeline import Platform

__all__ = ("MANYLINUX_AARCH64", "MANYLINUX_X86_64", "PYODIDE", "manylinux")


def manylinux(machine: str, python: str = "", glibc: str = "2_28") -> Platform:
    """Linux with glibc: servers, containers, functions.

    :param machine: ``x86_64`` or ``aarch64``.
    :param python: version; empty for the project's own.
    :param glibc: the oldest one it has to run with. Wheels for older ones fit too.
    """
    return Platform(python=python, wheels=f"{machine}-manylinux_{glibc}")


MANYLINUX_X86_64 = manylinux("x86_64")
MANYLINUX_AARCH64 = manylinux("aarch64")
# Pyodide 314, the Python in Workers: its wheels carry the Emscripten ABI of that release.
PYODIDE = Platform(python="3.14", wheels="pyemscripten_2026_0_wasm32")
