"""``mastra-sbom.json``: what is in the bundle, in CycloneDX, read off what was installed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from mastra_core.pipeline import Project
from mastra_deployer.bundler.vendor.wheel_store import Part

__all__ = ("write_sbom",)


def write_sbom(project: Project, parts: Iterable[Part], target: Path) -> None:
    """Write the bill of materials; no time and no random id in it, so it is reproducible."""
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": project.name}},
        "components": sorted(map(_component, parts), key=lambda item: str(item["name"])),
    }
    target.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")


def _component(part: Part) -> dict[str, Any]:
    purl = f"pkg:pypi/{part.name}@{part.version}"
    component: dict[str, Any] = {
        "type": "library",
        "name": part.name,
        "version": part.version,
        "purl": purl,
        "bom-ref": purl,
    }
    if part.license:
        component["licenses"] = [{"expression": part.license}]
    return component
