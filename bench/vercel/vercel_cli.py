"""Vercel's own tool: its installation from npm, a project for it, and the archive it uploads."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import json
import os
import re
import shutil
import tarfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

from environment import clean_environ
from paths import BENCH, cache_directory
from process import time_command

CLI = "vercel@64.0.2"
OVERRIDES = {"sandbox": "4.5.0"}  # it pins a version that npm mirrors lack; nothing here uses it


def write_project(source: Path, target: Path, wheels: Mapping[str, Path]) -> Path:
    """Copy an app as a linked project for Vercel's tool, with our wheels and an entry point."""
    shutil.copytree(source, target, ignore=shutil.ignore_patterns(".*", "__pycache__"))
    shutil.copy(BENCH / "vercel" / "serve.py", target)
    settings = target / "pyproject.toml"
    text = re.sub(r'("mastra-core[^"]*")', r'\1, "mastra-server"', settings.read_text())
    paths = [
        f'{package} = {{ path = "{wheels[package.replace("-", "_")]}" }}'
        for package in ("mastra-core", "mastra-server")
    ]
    entry = '[tool.vercel]\nentrypoint = "serve:app"'
    settings.write_text("\n".join([text, "[tool.uv.sources]", *paths, "", entry, ""]))
    link = {"projectId": "prj_bench", "orgId": "team_bench", "projectName": "bench"}
    (target / ".vercel").mkdir()
    project = json.dumps({**link, "settings": {"framework": "python"}})
    (target / ".vercel" / "project.json").write_text(project)
    (target / ".python-version").write_text("3.12\n")
    return target


def install(shims: Path) -> Path:
    """Return the script of Vercel's command line; install it the first time.

    :param shims: a directory with `node` and `npm`.
    """
    home = cache_directory() / CLI
    if not (home / "complete").exists():
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        package = {"private": True, "overrides": OVERRIDES}
        (home / "package.json").write_text(json.dumps(package))
        options = ("--no-audit", "--no-fund", "--silent", "--ignore-scripts", "--omit=optional")
        path = f"{shims}{os.pathsep}{os.environ.get('PATH', '')}"
        env = clean_environ(PATH=path, npm_config_cache=str(cache_directory() / "npm"))
        time_command([shims / "npm", "install", *options, CLI], cwd=home, env=env)
        (home / "complete").touch()
    return home / "node_modules" / "vercel" / "dist" / "vc.js"


def pack(output: Path, file: Path) -> dict[str, int]:
    """Return the bytes by hash that `vercel deploy --prebuilt --archive=tgz` uploads."""
    with tarfile.open(file, "w:gz", compresslevel=6) as archive:
        archive.add(output, ".vercel/output")
    return {hashlib.sha256(file.read_bytes()).hexdigest(): file.stat().st_size}


def hash_files(output: Path) -> dict[str, int]:
    """Return the bytes by hash that `vercel deploy --prebuilt` uploads: every file by itself."""
    files = [path for path in output.rglob("*") if path.is_file()]
    contents = [path.read_bytes() for path in files]
    return {hashlib.sha256(content).hexdigest(): len(content) for content in contents}


class _AccountHandler(http.server.BaseHTTPRequestHandler):
    """Answer who the user is; without an answer, `vercel build` waits four seconds."""

    def do_GET(self) -> None:
        user = {"id": "u", "email": "u@example.com", "username": "u", "name": "u"}
        known = self.path.startswith("/v2/user")
        body = json.dumps({"user": user} if known else {"error": {"code": "not_found"}}).encode()
        self.send_response(200 if known else 404)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextlib.contextmanager
def serve_account() -> Iterator[str]:
    """Serve the account on the loopback and yield the URL."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _AccountHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
