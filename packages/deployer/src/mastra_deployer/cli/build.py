"""``mastra build``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import click

from mastra_core.errors import BuildError
from mastra_core.pipeline import Bundle
from mastra_deployer.bundler.metadata.explain import explain as explain_module
from mastra_deployer.bundler.metadata.inventory import Inventory, read_inventory
from mastra_deployer.bundler.metadata.size_breakdown import largest
from mastra_deployer.cli.options import Options, build_options
from mastra_deployer.cli.terminal import Terminal
from mastra_deployer.files.human_size import human_bytes
from mastra_deployer.pipeline.reproducible import refuse_differences
from mastra_deployer.pipeline.session import Session

__all__ = ("build", "lines", "shown")

_SHOWN = 5


@click.command()
@click.option("--explain", multiple=True, metavar="MODULE", help="Say whether it ships, and why.")
@click.option("--check-reproducible", is_flag=True, help="Build again elsewhere, and compare.")
@build_options
def build(options: Options, explain: tuple[str, ...], check_reproducible: bool) -> None:
    """Build the universal bundle: .mastra/, served by `python .mastra/index.py`."""
    with Terminal(as_json=options.as_json) as terminal:
        session = options.session("server", terminal)
        bundle = session.bundle()
        inventory = read_inventory(session.project, bundle.manifest)
        told: dict[str, Any] = {"left_out": inventory.left_out if inventory else {}}
        words = lines(bundle, inventory)
        if explain:
            words = _explained(explain, session, bundle)
            told["explained"] = words
        if check_reproducible:
            terminal.step("Building again, elsewhere")
            count = refuse_differences(bundle, session.project, _arguments(options, bundle))
            words = [*words, f"Reproducible: {count} files are the same in a second build."]
            told["reproducible"] = count
        index = os.path.relpath(bundle.directory / "index.py")
        terminal.answer({**shown(bundle), **told}, *words, f"Serve it: python {index}")


def _explained(names: tuple[str, ...], session: Session, bundle: Bundle) -> list[str]:
    inventory = read_inventory(session.project, bundle.manifest)
    if inventory is None:
        raise BuildError(
            "Nothing is kept of how this bundle was built.", "Delete .mastra/, and build again."
        )
    return [
        line for name in names for line in explain_module(name, inventory, session.project, bundle)
    ]


def _arguments(options: Options, bundle: Bundle) -> list[str]:
    manifest = bundle.manifest
    app = ["--app", options.app] if options.app else []
    python = options.python or manifest.python
    return ["server", *app, "--python", python, "--platform", manifest.wheels]


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


def lines(bundle: Bundle, inventory: Inventory | None = None) -> list[str]:
    """A bundle for people: what is in it, what takes the space, and what was left out."""
    manifest = bundle.manifest
    names = [f"{what} {', '.join(have)}" for what, have in manifest.registry.items() if have]
    parts = largest(manifest.sizes, 5).items()
    shares = ", ".join(f"{name} {human_bytes(size)}" for name, size in parts)
    total = human_bytes(sum(manifest.sizes.values()))
    return [
        f"Bundled {manifest.entry} for {manifest.target}: {os.path.relpath(bundle.directory)}",
        *(f"  {name}" for name in names),
        f"  {total} for Python {manifest.python} on {manifest.wheels} ({shares})",
        *(_left_out(inventory) if inventory else ()),
    ]


def _left_out(inventory: Inventory) -> Iterator[str]:
    files = sum(
        len(names) for item in inventory.distributions.values() for names in item.dropped.values()
    )
    names = sorted(inventory.left_out)
    if names or files:
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        listed = f"{', '.join(names[:_SHOWN])}{more}; " if names else ""
        yield f"  left out: {listed}{files} tests, stubs and headers (--explain NAME says why)"
