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
from mastra_deployer.bundler.metadata.size_breakdown import sort_by_size
from mastra_deployer.cli.options import Options, build_options
from mastra_deployer.cli.terminal import Terminal
from mastra_deployer.files.human_size import format_bytes
from mastra_deployer.pipeline.reproducible import verify_reproducible
from mastra_deployer.pipeline.session import Session

__all__ = ("build", "format_lines", "to_json")

_MAX_NAMES = 5


@click.command()
@click.option("--explain", multiple=True, metavar="MODULE", help="Explain why it ships or not.")
@click.option("--check-reproducible", is_flag=True, help="Build again elsewhere, and compare.")
@build_options
def build(options: Options, explain: tuple[str, ...], check_reproducible: bool) -> None:
    """Build the universal bundle: .mastra/, served by `python .mastra/index.py`."""
    with Terminal(as_json=options.as_json) as terminal:
        session = options.session("server", terminal)
        bundle = session.bundle()
        inventory = read_inventory(session.project, bundle.manifest)
        data: dict[str, Any] = {"left_out": inventory.left_out if inventory else {}}
        lines = format_lines(bundle, inventory)
        if explain:
            lines = _explain(explain, session, bundle)
            data["explained"] = lines
        if check_reproducible:
            terminal.step("Building again in another directory")
            count = verify_reproducible(bundle, session.project, _build_arguments(options, bundle))
            lines = [*lines, f"Reproducible: {count} files are the same in a second build."]
            data["reproducible"] = count
        index = os.path.relpath(bundle.directory / "index.py")
        terminal.answer({**to_json(bundle), **data}, *lines, f"Serve it: python {index}")


def _explain(names: tuple[str, ...], session: Session, bundle: Bundle) -> list[str]:
    inventory = read_inventory(session.project, bundle.manifest)
    if inventory is None:
        raise BuildError(
            "There is no record of how this bundle was built.", "Delete .mastra/, and build again."
        )
    return [
        line for name in names for line in explain_module(name, inventory, session.project, bundle)
    ]


def _build_arguments(options: Options, bundle: Bundle) -> list[str]:
    manifest = bundle.manifest
    app = ["--app", options.app] if options.app else []
    python = options.python or manifest.python
    return ["server", *app, "--python", python, "--platform", manifest.wheels]


def to_json(bundle: Bundle) -> dict[str, Any]:
    """Convert a bundle for ``--json``.

    :param bundle: to print.
    """
    manifest = bundle.manifest
    return {
        "bundle": str(bundle.directory),
        "target": manifest.target,
        "app": manifest.app,
        "python": manifest.python,
        "platform": manifest.wheels,
        "registry": manifest.registry,
        "sizes": sort_by_size(manifest.sizes),
        "size": sum(manifest.sizes.values()),
        "fingerprint": manifest.fingerprint,
        "digest": manifest.digest,
    }


def format_lines(bundle: Bundle, inventory: Inventory | None = None) -> list[str]:
    """Format a bundle: its content, its largest parts, and what was left out.

    :param bundle: to print.
    :param inventory: with what was left out.
    """
    manifest = bundle.manifest
    names = [f"{kind} {', '.join(items)}" for kind, items in manifest.registry.items() if items]
    parts = sort_by_size(manifest.sizes, 5).items()
    shares = ", ".join(f"{name} {format_bytes(size)}" for name, size in parts)
    total = format_bytes(sum(manifest.sizes.values()))
    return [
        f"Bundled {manifest.entry} for {manifest.target}: {os.path.relpath(bundle.directory)}",
        *(f"  {name}" for name in names),
        f"  {total} for Python {manifest.python} on {manifest.wheels} ({shares})",
        *(_format_left_out(inventory) if inventory else ()),
    ]


def _format_left_out(inventory: Inventory) -> Iterator[str]:
    files = sum(
        len(names) for item in inventory.distributions.values() for names in item.dropped.values()
    )
    names = sorted(inventory.left_out)
    if names or files:
        more = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
        listed = f"{', '.join(names[:_MAX_NAMES])}{more}; " if names else ""
        yield f"  left out: {listed}{files} tests, stubs and headers (--explain NAME says why)"
