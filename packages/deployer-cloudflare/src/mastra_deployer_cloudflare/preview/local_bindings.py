"""Describe the bindings for wrangler, which runs D1, KV, R2 and queues on this machine."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from mastra_deployer_cloudflare.settings import CloudflareDeployer

__all__ = ("LOCAL_STATE", "find_wrangler", "list_bindings", "write_wrangler_config")

LOCAL_STATE = Path(".wrangler/state/v3")  # where wrangler itself keeps local data of a project


def find_wrangler(directory: Path) -> Path | None:
    """Return the directory of the npm package ``wrangler``, or ``None``.

    :param directory: the project. The function looks for the package in this directory, then in its
        parents, and then around the program ``wrangler`` on ``PATH``.
    """
    for parent in (directory, *directory.parents):
        if (parent / "node_modules/wrangler/package.json").is_file():
            return parent / "node_modules/wrangler"
    program = Path(shutil.which("wrangler") or "").resolve()
    for parent in program.parents:
        if parent.name == "wrangler" and (parent / "package.json").is_file():
            return parent
    return None


def list_bindings(settings: CloudflareDeployer) -> list[str]:
    """Return the names of the bindings that wrangler can run locally.

    :param settings: settings of the deployer.
    """
    return sorted({*settings.d1, *settings.kv, *settings.r2, *settings.queues})


def write_wrangler_config(
    file: Path, settings: CloudflareDeployer, compatibility_date: str
) -> None:
    """Write the configuration from which wrangler starts the local bindings.

    :param file: path of the configuration file to write.
    :param settings: settings of the deployer.
    :param compatibility_date: the compatibility date of the Worker.
    """
    content: dict[str, Any] = {
        "name": settings.project_name or "preview",
        "compatibility_date": compatibility_date,
        "d1_databases": [
            {"binding": binding, "database_name": name, "database_id": name}
            for binding, name in settings.d1.items()
        ],
        "kv_namespaces": [
            {"binding": binding, "id": name} for binding, name in settings.kv.items()
        ],
        "r2_buckets": [
            {"binding": binding, "bucket_name": name} for binding, name in settings.r2.items()
        ],
        "queues": {
            "producers": [
                {"binding": binding, "queue": name} for binding, name in settings.queues.items()
            ]
        },
    }
    file.write_text(json.dumps(content, indent=2), encoding="utf-8", newline="\n")
