"""Run an unpacked function, in a local replacement of AWS Lambda or without Node."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mastra_deployer.kit import ChildProcess
from mastra_deployer_netlify.bundle.function_limits import REQUEST, RESPONSE, SECONDS

__all__ = ("STAND_IN", "build_node_command", "build_python_command", "run_instance")

STAND_IN = Path(__file__).with_name("lambda_stand_in.mjs")
_PYTHON_SIDE = Path(__file__).with_name("python_side_child.py")


@contextlib.contextmanager
def run_instance(
    directory: Path, environment: Mapping[str, str], node: str | None, **settings: Any
) -> Iterator[int]:
    """Run a function within the block, and yield its port on this machine.

    :param directory: directory of the unpacked function, in which the app cannot write.
    :param environment: all variables of the app.
    :param node: path of Node; ``None`` to run the Python side alone.
    :param settings: further settings of the local replacement of AWS Lambda.
    :raises DeploymentFailed: when the instance does not start.
    """
    with ChildProcess(directory) as child:
        port_file = child.temporary / "port"
        command = (
            build_node_command(node, directory, port_file, **settings)
            if node
            else build_python_command(directory, port_file)
        )
        child.start(command, environment)
        yield child.wait_for_port(port_file, name="The function")


def build_node_command(
    node: str, directory: Path, port_file: Path, **settings: Any
) -> Sequence[str]:
    """Return the command that runs a function in a local replacement of AWS Lambda.

    :param node: path of Node.
    :param directory: directory of the unpacked function.
    :param port_file: path of the file to which the port is written.
    :param settings: further settings of this replacement.
    """
    defaults = {
        "directory": str(directory),
        "portFile": str(port_file),
        "scheme": "http",
        "timeout": SECONDS,
        "request": REQUEST,
        "response": RESPONSE,
    }
    return [node, str(STAND_IN), json.dumps({**defaults, **settings})]


def build_python_command(directory: Path, port_file: Path) -> Sequence[str]:
    """Return the command that runs the Python side of a function, with its own loader.

    :param directory: directory of the unpacked function.
    :param port_file: path of the file to which the port is written.
    """
    facts = json.loads((directory / "mastra.json").read_text(encoding="utf-8"))
    python = str(directory / facts["python"])
    start = [python]
    if facts["loader"]:
        loader, libraries = (str(directory / facts[name]) for name in ("loader", "libraries"))
        start = [loader, "--library-path", libraries, "--argv0", python, python]
    return [*start, "-s", "-B", "-u", str(_PYTHON_SIDE), str(directory), str(port_file)]
