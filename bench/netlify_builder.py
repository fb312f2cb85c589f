"""The builder of netlify-cli: its installation from npm, and the zip it makes of a function."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from environment import clean_environ
from paths import cache_directory
from process import time_command

BUILDER = "@netlify/zip-it-and-ship-it@16.2.3"  # of netlify-cli 27.10
_OWN_FILES = "___netlify-*"  # the builder adds them


def install_builder(shims: Path) -> Path:
    """Return the script of the builder; install it the first time.

    :param shims: a directory with `node` and `npm`.
    """
    home = cache_directory() / BUILDER.rpartition("/")[2]
    if not (home / "complete").exists():
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        (home / "package.json").write_text('{"private": true}')
        path = f"{shims}{os.pathsep}{os.environ.get('PATH', '')}"
        env = clean_environ(PATH=path, npm_config_cache=str(cache_directory() / "npm"))
        options = ("--no-audit", "--no-fund", "--silent", "--ignore-scripts")
        time_command([shims / "npm", "install", *options, BUILDER], cwd=home, env=env)
        (home / "complete").touch()
    return home / "node_modules" / BUILDER.rpartition("@")[0] / "dist" / "bin.js"


def pack_function(shims: Path, function: Path, scratch: Path) -> tuple[float, int]:
    """Let the builder pack the files of a function; return the seconds, and the bytes of the zip.

    :param shims: a directory with `node` and `npm`.
    :param function: the unpacked function, with `api.mjs`.
    :param scratch: an existing directory.
    """
    script = install_builder(shims)
    source, output = scratch / "functions", scratch / "packed"
    for directory in (source, output):
        shutil.rmtree(directory, ignore_errors=True)
    shutil.copytree(
        function, source / "api", symlinks=True, ignore=shutil.ignore_patterns(_OWN_FILES)
    )
    # Without a bundler, as netlify-cli packs a function that has only files of its own.
    settings = {"includedFiles": ["**"], "includedFilesBasePath": str(source / "api")}
    config = json.dumps({"*": {"nodeBundler": "none", **settings}})
    command = [shims / "node", script, "--config", config, source, output]
    seconds = time_command(command, cwd=scratch, env=clean_environ())
    return seconds, (output / "api.zip").stat().st_size
