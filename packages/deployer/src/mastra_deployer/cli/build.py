"""``mastra build``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import click

from mastra_core.errors import BuildError
from mastra_core.pipeline import Bundle
from mastra_deployer.bundler.metadata.inventory import Inventory, read_inventory
from mastra_deployer.bundler.metadata.size_breakdown import sort_by_size
from mastra_deployer.cli.options import Options, build_options
from mastra_deployer.cli.terminal import Terminal
from mastra_deployer.files.human_size import format_bytes
from mastra_deployer.output.wrap import get_terminal_width, wrap_text
from mastra_deployer.pipeline.make_bundle import make_bundle
from mastra_deployer.pipeline.reproducible import verify_reproducible
from mastra_deployer.pipeline.session import Session

__all__ = ("build", "format_lines", "to_json")

_MAX_NAMES = 5


@click.command()
@click.option(
    "--explain", multiple=True, metavar="MODULE", help="Explain why MODULE is in the bundle or not."
)
@click.option(
    "--check-reproducible",
    is_flag=True,
    help="Build again at another path, and compare both bundles.",
)
@build_options
def build(options: Options, explain: tuple[str, ...], check_reproducible: bool) -> None:
    """Build the universal bundle .mastra/, which `python .mastra/index.py` serves."""
    with Terminal(as_json=options.as_json) as terminal:
        session = options.session("server", terminal)
        bundle = make_bundle(session)
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
    from mastra_deployer.bundler.metadata.explain import explain as explain_module

    inventory = read_inventory(session.project, bundle.manifest)
    if inventory is None:
        raise BuildError(
            "The record of how this bundle was built is missing.",
            "Delete .mastra/, and build again.",
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

    :param bundle: the bundle.
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
    """Format a bundle: its content, its largest parts, and the parts that were left out.

    :param bundle: the bundle.
    :param inventory: the record of the parts that were left out; ``None`` to leave them out of the
        text.
    """
    manifest = bundle.manifest
    rows = [(kind, ", ".join(items)) for kind, items in manifest.registry.items() if items]
    rows.append(("runs on", f"Python {manifest.python}, {manifest.wheels}"))
    rows.append(("size", format_bytes(sum(manifest.sizes.values()))))
    rows += [("", row) for row in _format_sizes(sort_by_size(manifest.sizes, 5))]
    rows += [("bytecode", text) for text in (_format_bytecode(inventory) if inventory else ())]
    rows += [("left out", text) for text in (_format_left_out(inventory) if inventory else ())]
    return [
        f"Bundled {manifest.entry} for {manifest.target}: {os.path.relpath(bundle.directory)}",
        *_align(rows),
    ]


def _align(rows: list[tuple[str, str]]) -> Iterator[str]:
    """Yield the lines of rows with a label and a text; all texts begin in the same column."""
    width, head = get_terminal_width(sys.stdout), max(len(label) for label, _ in rows) + 4
    for label, text in rows:
        first = f"  {label}".ljust(head)
        yield from wrap_text(text, width, first=first, indent=" " * head).split("\n")


def _format_sizes(sizes: Mapping[str, int]) -> list[str]:
    """Return a line for each part, with the sizes aligned on the right."""
    texts = {name: format_bytes(size) for name, size in sizes.items()}
    name_width, size_width = max(map(len, texts)), max(map(len, texts.values()))
    return [f"{name.ljust(name_width)}  {text.rjust(size_width)}" for name, text in texts.items()]


def _format_bytecode(inventory: Inventory) -> Iterator[str]:
    if inventory.compiled < inventory.modules:
        yield (
            f"{inventory.compiled:,} of {inventory.modules:,} modules, those that the app imports; "
            "Python compiles the others on use"
        )


def _format_left_out(inventory: Inventory) -> Iterator[str]:
    files = sum(
        len(names) for item in inventory.distributions.values() for names in item.dropped.values()
    )
    names = sorted(inventory.left_out)
    if names or files:
        more = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
        listed = f"{', '.join(names[:_MAX_NAMES])}{more}; " if names else ""
        yield f"{listed}{files} files that serving does not need (`--explain NAME` says why)"
