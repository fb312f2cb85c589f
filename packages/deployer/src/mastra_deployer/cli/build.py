"""``mastra build``."""

from __future__ import annotations

import os
from typing import Any

import click

from mastra_core.line import Bundle
from mastra_deployer.bundler.sizes import largest
from mastra_deployer.cli.options import Options, build_options
from mastra_deployer.cli.terminal import Terminal
from mastra_deployer.quantity import human_bytes

__all__ = ("build", "lines", "shown")


@click.command()
@build_options
def build(options: Options) -> None:
    """Build the universal bundle: .mastra/, served by `python .mastra/index.py`."""
    with Terminal(as_json=options.as_json) as terminal:
        bundle = options.session("server", terminal).bundle()
        index = os.path.relpath(bundle.directory / "index.py")
        terminal.answer(shown(bundle), *lines(bundle), f"Serve it: python {index}")


def shown(bundle: Bundle) -> dict[str, Any]:
    """A bundle as data, for ``--json``."""
    manifest = bundle.manifest
    return {
        "bundle": str(bundle.directory),
        "target": manifest.target,
        "app": manifest.app,
        "python": manifest.python,
        "platform": manifest.wheels,
        "registry": manifest.registry,
        "sizes": largest(manifest.sizes),
        "size": sum(manifest.sizes.values()),
        "fingerprint": manifest.fingerprint,
        "digest": manifest.digest,
    }


def lines(bundle: Bundle) -> list[str]:
    """A bundle for people: what is in it, and what takes the space."""
    manifest = bundle.manifest
    names = [f"{what} {', '.join(have)}" for what, have in manifest.registry.items() if have]
    parts = largest(manifest.sizes, 5).items()
    shares = ", ".join(f"{name} {human_bytes(size)}" for name, size in parts)
    total = human_bytes(sum(manifest.sizes.values()))
    return [
        f"Bundled {manifest.entry} for {manifest.target}: {os.path.relpath(bundle.directory)}",
        *(f"  {name}" for name in names),
        f"  {total} for Python {manifest.python} on {manifest.wheels} ({shares})",
    ]
