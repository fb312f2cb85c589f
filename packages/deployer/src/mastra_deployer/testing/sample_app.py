"""Stage a small app with kinds of files that deployers often handle wrongly."""

from __future__ import annotations

import functools
import hashlib
import random
import sys
from pathlib import Path

from mastra_core.pipeline import Build, BundleManifest, Platform, Target

__all__ = ("sample_build",)

_INDEX = '''\
"""Serves one page by the standard library alone: `python index.py`, HOST and PORT."""
import http.server
import os
import sys


class Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        body = b"hello"
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


address = (os.environ.get("HOST", "0.0.0.0"), int(os.environ.get("PORT", "3000")))
with http.server.ThreadingHTTPServer(address, Handler) as server:
    host, port = server.server_address[:2]
    print(f"Serving main:app on http://{host}:{port}", file=sys.stderr, flush=True)
    server.serve_forever()
'''
_ASGI = """\
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})
"""


def sample_build(directory: Path, target: Target, *, change: str = "") -> Build:
    """Stage the sample app for the preferred platform of the target.

    Two files of the app have the same content. One file is empty, one has a deep path with a
    non-ASCII name, and one is large.

    :param directory: an empty directory.
    :param target: the target to stage for.
    :param change: a text in one small file; another text makes another version of the app.
    """
    contents = _build_contents(change)
    for name, content in contents.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    preferred = target.platforms[0] if target.platforms else Platform()
    running = f"{sys.version_info[0]}.{sys.version_info[1]}"
    manifest = BundleManifest(
        app="main:app",
        paths=("app", "vendor"),
        python=preferred.python or running,
        wheels=preferred.wheels or "x86_64-manylinux_2_28",
        kind="asgi",
        entry="main:app",
        optional=("GREETING", "FAREWELL"),
        sizes=_sum_sizes(contents),
        fingerprint=hashlib.sha256(b"".join(contents.values())).hexdigest(),
    )
    platform = Platform(python=manifest.python, wheels=manifest.wheels)
    return Build(directory=directory, platform=platform, manifest=manifest)


def _build_contents(change: str) -> dict[str, bytes]:
    duplicate = b"the same content twice\n" * 40
    return {
        "index.py": _INDEX.encode(),
        "app/main.py": _ASGI.encode(),
        "app/words.txt": f"words {change}\n".encode() * 50,
        "app/one.txt": duplicate,
        "app/a/two.txt": duplicate,
        "app/empty.txt": b"",
        "app/large.bin": _generate_noise(),
        "app/a/b/c/gr\u00fc\u00dfe \u2603.txt": b"a name beyond ASCII, deep down\n",
        "vendor/parrot/__init__.py": b"NAME = 'parrot'\n",
    }


@functools.cache
def _generate_noise() -> bytes:
    return random.Random(4711).randbytes(300_000)  # noqa: S311  # the same bytes each time


def _sum_sizes(contents: dict[str, bytes]) -> dict[str, int]:
    vendored = sum(len(item) for name, item in contents.items() if name.startswith("vendor/"))
    return {"app": sum(map(len, contents.values())) - vendored, "parrot": vendored}
