"""What is measured of Mastra in TypeScript: `bench/peer`, with its own tools."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import cold
import node
from book import Book
from environment import variables
from places import BENCH, cache
from process import run
from tree import size

SOURCE = BENCH / "peer"
QUIET = ("--no-audit", "--no-fund", "--silent")


@dataclasses.dataclass(frozen=True)
class Peer:
    """The installed project."""

    project: Path
    node: Path
    env: dict[str, str]

    @property
    def tool(self) -> Path:
        return self.project / "node_modules" / "mastra" / "dist" / "index.js"


def prepare() -> Peer:
    """Node and the peer's packages; both are kept for the next run.

    :raises Failed: when either cannot be had.
    """
    shims = node.directory()
    path = f"{shims}{os.pathsep}{os.environ.get('PATH', '')}"
    npm = {"npm_config_cache": str(cache() / "npm"), "npm_config_update_notifier": "false"}
    peer = Peer(cache() / f"peer-{_key(shims)}", shims / "node", variables(PATH=path, **npm))
    if not (peer.project / "complete").exists():
        shutil.rmtree(peer.project, ignore_errors=True)
        shutil.copytree(SOURCE, peer.project)
        run([shims / "npm", "install", *QUIET], cwd=peer.project, env=peer.env)
        (peer.project / "complete").touch()
    return peer


def measure(peer: Peer, groups: Sequence[str], book: Book) -> None:
    """The same groups of rows, as far as there is something to compare."""
    told = ".".join(map(str, node.version(peer.node)))
    book.facts.append(f"Peer: mastra 1.31.0 and @mastra/core 1.71.0 on Node {told}")
    _build(peer, book)
    for group in groups:
        if group in _GROUPS:
            _GROUPS[group](peer, book)


def _build(peer: Peer, book: Book) -> None:
    """First, unchanged, and with a line more; once each, since it takes long and keeps nothing."""
    shutil.rmtree(peer.project / ".mastra", ignore_errors=True)
    entry = peer.project / "src" / "mastra" / "index.ts"
    text = entry.read_text(encoding="utf-8")
    try:
        for key in ("peer.cold", "peer.again", "peer.changed"):
            if key == "peer.changed":
                entry.write_text(f"{text}// one more line\n", encoding="utf-8")
            book.add(key, run([peer.node, peer.tool, "build"], cwd=peer.project, env=peer.env))
    finally:
        entry.write_text(text, encoding="utf-8")


def _import(peer: Peer, book: Book) -> None:
    command = (peer.node, "--input-type=module", "-e")
    loaded, bare = (*command, "import '@mastra/core'"), (*command, "")
    taken = cold.over(loaded, bare, cwd=peer.project, env=peer.env, times=5)
    book.add("peer.import", *taken)


def _help(peer: Peer, book: Book) -> None:
    command = (peer.node, peer.tool, "--help")
    book.add("peer.help", *cold.taken(command, cwd=peer.project, env=peer.env, times=5))


def _output(peer: Peer, book: Book) -> None:
    megabytes, files = size(peer.project / ".mastra" / "output")
    book.add("peer.size", megabytes)
    book.add("peer.files", files)


def _serve(peer: Peer, book: Book) -> None:
    cold.starts(book, "peer", _server(peer), agent="echo", env=_production(peer), times=5)


def _load(peer: Peer, book: Book) -> None:
    cold.load(book, "peer", _server(peer), agent="echo", env=_production(peer), times=3)


def _server(peer: Peer) -> Sequence[Path]:
    return [peer.node, peer.project / ".mastra" / "output" / "index.mjs"]


def _production(peer: Peer) -> dict[str, str]:
    return {**peer.env, "NODE_ENV": "production"}


def _key(shims: Path) -> str:
    digest = hashlib.sha256(repr(node.version(shims / "node")).encode())
    for path in sorted(SOURCE.rglob("*")):
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


_GROUPS = {
    "import": _import,
    "help": _help,
    "output": _output,
    "serve": _serve,
    "load": _load,
}
