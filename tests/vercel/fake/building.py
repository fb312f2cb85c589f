"""What the platform checks while it takes a prebuilt output over."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.vercel.fake.accounts import plan_of
from tests.vercel.fake.call import Call
from tests.vercel.fake.lifecycle import Deployment

OUTPUT = ".vercel/output"
PYTHONS = ("python3.12", "python3.13", "python3.14")
LONGEST = {"hobby": 300, "pro": 800, "enterprise": 800}  # seconds
LARGEST = 250 * 1024 * 1024


def functions_of(directory: Path) -> Iterator[tuple[str, Path]]:
    """The name and directory of every function."""
    root = directory / OUTPUT / "functions"
    for path in sorted(root.rglob("*.func")):
        if path.is_dir():
            yield path.relative_to(root).as_posix().removesuffix(".func"), path


def config_of(function: Path) -> dict[str, Any]:
    return _json(function / ".vc-config.json")


def output_config(directory: Path) -> dict[str, Any]:
    return _json(directory / OUTPUT / "config.json")


def refuse_what_cannot_be_built(call: Call, deployment: Deployment) -> None:
    """:raises ValueError: in the words of the platform's build."""
    prebuilt = any(path.startswith(f"{OUTPUT}/") for path in deployment.files)
    if not prebuilt and not deployment.prebuilt:
        return
    if output_config(deployment.directory).get("version") != 3:
        raise ValueError("Error: the `version` of config.json should be 3")
    for name, path in functions_of(deployment.directory):
        _check_function(name, path, LONGEST[plan_of(call, deployment.owner)], call, deployment)


def _check_function(
    name: str, path: Path, longest: int, call: Call, deployment: Deployment
) -> None:
    config = config_of(path)
    plan = plan_of(call, deployment.owner)
    if str(config.get("runtime", "")).startswith("python") and config["runtime"] not in PYTHONS:
        raise ValueError(f'Error: The Runtime "{config["runtime"]}" is not supported.')
    if not config.get("handler"):
        raise ValueError(f"Error: {name}.func/.vc-config.json has no `handler`.")
    if not 1 <= config.get("maxDuration", 1) <= longest:
        raise ValueError(
            f"Error: Builder returned invalid maxDuration value for Serverless Function "
            f'"{name}". Serverless Functions must have a maxDuration between 1 and {longest} '
            f"for plan {plan}."
        )
    size = sum(file.lstat().st_size for file in path.rglob("*") if not file.is_dir())
    if size > LARGEST:
        raise ValueError(
            f'Error: The Vercel Function "{name}" is {size / 1024 / 1024:.2f}mb which exceeds '
            "the maximum size limit of 250mb."
        )


def _json(path: Path) -> dict[str, Any]:
    try:
        read = json.loads(path.read_text())
    except FileNotFoundError:
        raise ValueError(f"Error: {path.name} was not found in the output.") from None
    except ValueError:
        raise ValueError(f"Error: {path.name} is no JSON.") from None
    return dict(read)
