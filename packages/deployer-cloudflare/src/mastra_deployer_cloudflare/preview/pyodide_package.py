"""Name the version of Pyodide that previews and checks use."""

from __future__ import annotations

from mastra_deployer.kit import NpmPackage

__all__ = ("NODE", "PYODIDE_PACKAGE")

NODE = 24  # the oldest major version of Node in which Python can wait for a promise
PYODIDE_PACKAGE = NpmPackage(
    name="pyodide",
    version="314.0.7",
    integrity="sha512-0YvXxEhfEdpLfb/XkM2BFAeMROq0iMUX2bzzH9pOttyMcWkwq+HbE5uyuGD82LN7y2q+SNvi/"
    "6V5JEsOlD2R1A==",
)
