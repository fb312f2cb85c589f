"""Run a bundle on this machine as on <<title>>."""

from __future__ import annotations

import os
import subprocess
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
    from mastra_deployer.kit import require_python

    values = {name: value.reveal() for name, value in env.items()}
    command = [require_python(bundle.manifest.python), "index.py"]
    try:
        return subprocess.run(  # noqa: S603  # no shell, and no text of others
            command,
            cwd=bundle.directory,
            env={**os.environ, "HOST": host, "PORT": str(port), **values},
            check=False,
        ).returncode
    except KeyboardInterrupt:
        return 130
