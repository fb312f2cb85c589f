"""Run a bundle on this machine as on <<title>>."""

from __future__ import annotations

import os
from collections.abc import Mapping

from mastra_core import Secret
from mastra_core.pipeline import Bundle

__all__ = ("preview",)


def preview(bundle: Bundle, host: str, port: int, env: Mapping[str, Secret]) -> int:
    """Run `python index.py` until interrupted, and return its exit code.

    :param bundle: the bundle to run.
    :param host: address to bind.
    :param port: port to bind.
    :param env: the app's variables.
    :raises ConfigError: when this machine has no interpreter of the bundle's version.
    """
    from mastra_deployer.kit import ChildProcess, require_python

    python = require_python(bundle.manifest.python)
    # The app gets no other variables of this machine, as on <<title>>.
    values = {name: value.reveal() for name, value in env.items()}
    variables = {"PATH": os.environ.get("PATH", ""), "HOST": host, "PORT": str(port), **values}
    with ChildProcess(bundle.directory) as child:
        child.start([python, "index.py"], variables)
        return child.wait()
