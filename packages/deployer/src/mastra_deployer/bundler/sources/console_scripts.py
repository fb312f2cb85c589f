"""Write the console scripts of the app and its direct dependencies into a build."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from mastra_core.pipeline import BundleManifest
from mastra_deployer.bundler.sources.shipped_entry_points import read_entry_points

__all__ = ("SCRIPTS", "read_console_scripts", "write_console_scripts")

SCRIPTS = "bin"
"""The directory of console scripts in a build."""
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")
_SCRIPT = '''\
#!/usr/bin/env {python}
"""Run the console script {name!r}. Made by mastra."""

import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
PATHS = [os.path.join(ROOT, path) for path in {paths!r}]
sys.path[0] = PATHS[0]

import mastra_venv

mastra_venv.run_script(PATHS, os.path.join(ROOT, "{scripts}"), {reference!r})
'''


def read_console_scripts(texts: Iterable[str]) -> dict[str, str]:
    """Return the console scripts in ``entry_points.txt`` files, with their entry points.

    If several scripts have the same name, the first one is used.

    :param texts: the contents of the files.
    """
    return {
        name: reference
        for name, reference in read_entry_points(texts, "console_scripts").items()
        if _NAME.fullmatch(name)
    }


def write_console_scripts(
    scripts: Mapping[str, str], manifest: BundleManifest, directory: Path
) -> None:
    """Write executable scripts that work without the launcher and at any path.

    :param scripts: entry points by the name of the script.
    :param manifest: the manifest of the build.
    :param directory: the directory of the build.
    """
    python = "python3" if manifest.pure else f"python{manifest.python}"
    for name, reference in sorted(scripts.items()):
        file = directory / SCRIPTS / name
        file.parent.mkdir(exist_ok=True)
        text = _SCRIPT.format(
            python=python,
            name=name,
            paths=manifest.paths,
            scripts=SCRIPTS,
            reference=reference,
        )
        file.write_text(text, encoding="utf-8", newline="\n")
        file.chmod(0o755)
