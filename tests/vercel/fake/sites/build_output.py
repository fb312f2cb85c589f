"""Checks of the platform's build for a prebuilt output."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.vercel.fake.routes.accounts import get_plan
from tests.vercel.fake.state.deployment import Deployment
from tests.vercel.fake.transport.request import Request

OUTPUT = ".vercel/output"
PYTHONS = ("python3.12", "python3.13", "python3.14")
MAX_DURATIONS = {"hobby": 300, "pro": 800, "enterprise": 800}  # seconds
MAX_FUNCTION_SIZE = 250 * 1024 * 1024


def iter_functions(directory: Path) -> Iterator[tuple[str, Path]]:
    """Yield name and directory of every function."""
    root = directory / OUTPUT / "functions"
    for path in sorted(root.rglob("*.func")):
        if path.is_dir():
            yield path.relative_to(root).as_posix().removesuffix(".func"), path


def load_function_config(function: Path) -> dict[str, Any]:
    return _load_json(function / ".vc-config.json")


def load_output_config(directory: Path) -> dict[str, Any]:
    return _load_json(directory / OUTPUT / "config.json")


def check_build_output(request: Request, deployment: Deployment) -> None:
    """:raises ValueError: with the message of the platform's build."""
    prebuilt = any(path.startswith(f"{OUTPUT}/") for path in deployment.files)
    if not prebuilt and not deployment.prebuilt:
        return
    if load_output_config(deployment.directory).get("version") != 3:
        raise ValueError("Error: the `version` of config.json should be 3")
    for name, path in iter_functions(deployment.directory):
        _check_function(
            name, path, MAX_DURATIONS[get_plan(request, deployment.owner)], request, deployment
        )


def _check_function(
    name: str, path: Path, max_duration: int, request: Request, deployment: Deployment
) -> None:
    config = load_function_config(path)
    plan = get_plan(request, deployment.owner)
    if str(config.get("runtime", "")).startswith("python") and config["runtime"] not in PYTHONS:
        raise ValueError(f'Error: The Runtime "{config["runtime"]}" is not supported.')
    if not config.get("handler"):
        raise ValueError(f"Error: {name}.func/.vc-config.json has no `handler`.")
    if not 1 <= config.get("maxDuration", 1) <= max_duration:
        raise ValueError(
            f"Error: Builder returned invalid maxDuration value for Serverless Function "
            f'"{name}". Serverless Functions must have a maxDuration between 1 and {max_duration} '
            f"for plan {plan}."
        )
    size = sum(file.lstat().st_size for file in path.rglob("*") if not file.is_dir())
    if size > MAX_FUNCTION_SIZE:
        raise ValueError(
            f'Error: The Vercel Function "{name}" is {size / 1024 / 1024:.2f}mb which exceeds '
            "the maximum size limit of 250mb."
        )


def _load_json(path: Path) -> dict[str, Any]:
    try:
        read = json.loads(path.read_text())
    except FileNotFoundError:
        raise ValueError(f"Error: {path.name} was not found in the output.") from None
    except ValueError:
        raise ValueError(f"Error: {path.name} is not JSON.") from None
    return dict(read)
