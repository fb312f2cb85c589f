"""Run the modules of a bundle in Pyodide on Node."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mastra_core.pipeline import Report
from mastra_deployer.kit import find_node, get_npm_package
from mastra_deployer_cloudflare.bundle.worker_modules import MODULES, read_worker_config
from mastra_deployer_cloudflare.preview.pyodide_package import NODE, PYODIDE_PACKAGE

__all__ = ("WorkerHost", "build_environment")

# In a Worker, Python can wait for a promise. Older versions of Node need a flag for that.
_PROBE = ("-p", "typeof WebAssembly.Suspending")
_FLAG = "--experimental-wasm-jspi"
_SCRIPT = Path(__file__).with_name("worker_host.mjs")


@dataclasses.dataclass(frozen=True, kw_only=True)
class WorkerHost:
    """The programs that run a Worker on this machine.

    :param node: path of Node.
    :param pyodide: directory of the npm package ``pyodide``.
    :param flags: command-line arguments of Node.
    """

    node: str
    pyodide: Path
    flags: tuple[str, ...] = ()

    @classmethod
    def find(cls, report: Report) -> WorkerHost:
        """Find Node, and download Pyodide into the cache if necessary.

        :param report: receives progress.
        :raises ConfigError: when no suitable version of Node is installed.
        :raises ApiError: when Pyodide cannot be downloaded.
        """
        node = find_node(NODE)
        # NODE_OPTIONS of the user is left out, because the Worker's process does not get it either.
        environment = _read_environment()
        probe = subprocess.run([node, *_PROBE], env=environment, capture_output=True, check=False)
        flags = (_FLAG,) if b"undefined" in probe.stdout else ()
        return cls(node=node, pyodide=get_npm_package(PYODIDE_PACKAGE, report), flags=flags)

    def build_command(self, bundle: Path, temporary: Path, **options: Any) -> Sequence[str]:
        """Return the command that runs a bundle's modules.

        The options may contain secrets. The script gets the options in a file, which it reads and
        then deletes.

        :param bundle: the directory of the bundle.
        :param temporary: a private directory for the file with the options.
        :param options: further options of the script that runs the modules.
        """
        content = {
            "pyodide": str(self.pyodide),
            "modules": str(bundle / MODULES),
            "main": read_worker_config(bundle).main,
            "parent": os.getpid(),
            **options,
        }
        file = temporary / "options.json"
        file.touch(0o600)
        file.write_text(json.dumps(content), encoding="utf-8", newline="\n")
        return [self.node, *self.flags, str(_SCRIPT), str(file)]


def build_environment(temporary: Path) -> Mapping[str, str]:
    """Return the variables of the script's process; the Worker sees none of them.

    :param temporary: a private directory for the files of wrangler.
    """
    return {
        **_read_environment(),
        "XDG_CONFIG_HOME": str(temporary),
        "WRANGLER_SEND_METRICS": "false",
        "WRANGLER_LOG_PATH": str(temporary / "logs"),
    }


def _read_environment() -> dict[str, str]:
    """Return the variables of this process that Node and wrangler need."""
    names = ("PATH", "HOME", "SYSTEMROOT", "TEMP", "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE")
    return {name: os.environ[name] for name in names if name in os.environ}
