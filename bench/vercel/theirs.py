"""Vercel's own tool: its command line from npm, a project for it, and the archive it sends."""

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

from environment import variables
from places import BENCH, cache
from process import run

CLI = "vercel@64.0.2"
OVERRIDES = {"sandbox": "4.5.0"}  # it pins a version that mirrors of npm lack; nothing here uses it


def project(source: Path, target: Path, wheels: Mapping[str, Path]) -> Path:
    """The same app as a project for Vercel's tool: our wheels, an entry, and the linked project."""
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
    told = json.dumps({**link, "settings": {"framework": "python"}})
    (target / ".vercel" / "project.json").write_text(told)
    (target / ".python-version").write_text("3.12\n")
    return target


def command_line(shims: Path) -> Path:
    """Vercel's command line, installed once."""
    home = cache() / CLI
    if not (home / "complete").exists():
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        about = {"private": True, "overrides": OVERRIDES}
        (home / "package.json").write_text(json.dumps(about))
        quiet = ("--no-audit", "--no-fund", "--silent", "--ignore-scripts", "--omit=optional")
        path = f"{shims}{os.pathsep}{os.environ.get('PATH', '')}"
        env = variables(PATH=path, npm_config_cache=str(cache() / "npm"))
        run([shims / "npm", "install", *quiet, CLI], cwd=home, env=env)
        (home / "complete").touch()
    return home / "node_modules" / "vercel" / "dist" / "vc.js"


def archived(output: Path, file: Path) -> dict[str, int]:
    """Bytes by hash, as `vercel deploy --prebuilt --archive=tgz` sends it: one archive."""
    with tarfile.open(file, "w:gz", compresslevel=6) as archive:
        archive.add(output, ".vercel/output")
    return {hashlib.sha256(file.read_bytes()).hexdigest(): file.stat().st_size}


def single(output: Path) -> dict[str, int]:
    """Bytes by hash, as `vercel deploy --prebuilt` sends it: each file by itself."""
    files = [path for path in output.rglob("*") if path.is_file()]
    contents = [path.read_bytes() for path in files]
    return {hashlib.sha256(content).hexdigest(): len(content) for content in contents}


class _Api(http.server.BaseHTTPRequestHandler):
    """Says who the user is; `vercel build` waits four seconds where nobody does."""

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
        pass


@contextlib.contextmanager
def told_user() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Api) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
