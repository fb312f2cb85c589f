"""Run wrangler, Cloudflare's own command, on a configuration for one of our bundles."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.core.storage.d1.local import WORKERD, WRANGLER, get_workerd_package
from tests.node import find_node
from tests.npm import ensure_installed

_ESBUILD = "0.28.2"  # which this version of wrangler needs


def run_wrangler(directory: Path, *arguments: str, **variables: str) -> str:
    """Run a command in a directory, and return what it prints."""
    workerd = get_workerd_package()
    esbuild = f"@esbuild/linux-{'arm64' if workerd.endswith('arm64') else 'x64'}"
    home = ensure_installed(f"wrangler@{WRANGLER}", f"{workerd}@{WORKERD}")  # as for local D1
    binary = ensure_installed(f"{esbuild}@{_ESBUILD}") / "node_modules" / esbuild / "bin/esbuild"
    script = home / "node_modules/wrangler/bin/wrangler.js"
    done = subprocess.run(
        [find_node(), str(script), *arguments],
        cwd=directory,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(directory),
            "CI": "1",
            "NO_COLOR": "1",
            "WRANGLER_SEND_METRICS": "false",
            "ESBUILD_BINARY_PATH": str(binary),
            **variables,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def write_project(
    bundle: Path, directory: Path, metadata: Mapping[str, Any], crons: tuple[str, ...]
) -> None:
    """Lay out the modules of a bundle as wrangler expects them, with its configuration.

    wrangler takes the modules of the app from the directory of the main module, and the packages
    from `python_modules` beside the configuration.
    """
    source = directory / "src"
    shutil.copytree(bundle / "modules", source)
    if (source / "python_modules").exists():
        (source / "python_modules").rename(directory / "python_modules")
    files = (path for path in source.rglob("*") if path.is_file() and path.suffix != ".py")
    data = [path.relative_to(source).as_posix() for path in files]
    config = {
        "name": "shop",
        "main": f"src/{metadata['main_module']}",
        "compatibility_date": metadata["compatibility_date"],
        "compatibility_flags": metadata["compatibility_flags"],
        "find_additional_modules": True,
        "no_bundle": True,
        "rules": [{"type": "Data", "globs": data, "fallthrough": False}],
        "observability": metadata["observability"],
        **({"placement": metadata["placement"]} if "placement" in metadata else {}),
        **({"limits": metadata["limits"]} if "limits" in metadata else {}),
        **({"triggers": {"crons": list(crons)}} if crons else {}),
        **_build_bindings(metadata["bindings"]),
    }
    (directory / "wrangler.json").write_text(json.dumps(config))


def _build_bindings(bindings: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the bindings as the configuration of wrangler has them."""

    def select(kind: str, **fields: str) -> list[dict[str, str]]:
        return [
            {"binding": item["name"], **{key: item[old] for key, old in fields.items()}}
            for item in bindings
            if item["type"] == kind
        ]

    variables = {item["name"]: item["text"] for item in bindings if item["type"] == "plain_text"}
    services = [
        {"binding": item["name"], "service": item["service"]}
        | ({"entrypoint": item["entrypoint"]} if "entrypoint" in item else {})
        for item in bindings
        if item["type"] == "service"
    ]
    ai = select("ai")
    return {
        "vars": variables,
        "kv_namespaces": select("kv_namespace", id="namespace_id"),
        "d1_databases": select("d1", database_id="id"),
        "r2_buckets": select("r2_bucket", bucket_name="bucket_name"),
        "queues": {"producers": select("queue", queue="queue_name")},
        "services": services,
        **({"ai": ai[0]} if ai else {}),
    }
