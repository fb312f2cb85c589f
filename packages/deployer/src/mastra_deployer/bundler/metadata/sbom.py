"""Write ``mastra-sbom.json``, a bill of materials of all installed packages, in CycloneDX."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from mastra_core.pipeline import Project
from mastra_deployer.bundler.vendor.wheel_store import StoredWheel

__all__ = ("write_sbom",)


def write_sbom(project: Project, wheels: Iterable[StoredWheel], target: Path) -> None:
    """Write the bill of materials, without times and random ids, so that it is reproducible.

    :param project: the app.
    :param wheels: the dependencies that ship.
    :param target: the file to write.
    """
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": project.name}},
        "components": sorted(map(_build_component, wheels), key=lambda item: str(item["name"])),
    }
    target.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")


def _build_component(wheel: StoredWheel) -> dict[str, Any]:
    purl = f"pkg:pypi/{wheel.name}@{quote(wheel.version)}"  # 1.0+cpu has a character of URLs
    component: dict[str, Any] = {
        "type": "library",
        "name": wheel.name,
        "version": wheel.version,
        "purl": purl,
        "bom-ref": purl,
    }
    if wheel.license:
        component["licenses"] = [{"expression": wheel.license}]
    if wheel.stripped:
        component["properties"] = [
            {"name": "mastra:stripped", "value": name} for name in wheel.stripped
        ]
    return component
