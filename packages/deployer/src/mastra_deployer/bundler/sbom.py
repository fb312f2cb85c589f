"""``mastra-sbom.json``: what is in the bundle, in CycloneDX, read off the installed tree."""

from __future__ import annotations

from email.parser import HeaderParser
from pathlib import Path
from typing import Any

import msgspec

from mastra_core.line import Project
from mastra_deployer.bundler.prune import Distribution, distributions

__all__ = ("write_sbom",)


def write_sbom(project: Project, vendor: Path, target: Path) -> None:
    """Write the bill of materials; no time and no random id in it, so it is reproducible."""
    components = [_component(item) for item in distributions(vendor).values()]
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": project.name}},
        "components": sorted(components, key=lambda item: item["name"]),
    }
    target.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")


def _component(item: Distribution) -> dict[str, Any]:
    headers = HeaderParser().parsestr((item.info / "METADATA").read_text(encoding="utf-8"))
    purl = f"pkg:pypi/{item.name}@{item.version}"
    component: dict[str, Any] = {
        "type": "library",
        "name": item.name,
        "version": item.version,
        "purl": purl,
        "bom-ref": purl,
    }
    license_ = headers["License-Expression"] or ""
    if license_:
        component["licenses"] = [{"expression": license_}]
    return component
