"""``mastra trust``."""

from __future__ import annotations

from pathlib import Path

import click

from mastra_deployer.cli.options import VERBOSE
from mastra_deployer.cli.terminal import Terminal
from mastra_deployer.trust.host_names import parse_host
from mastra_deployer.trust.trust_store import (
    TrustStore,
    change_trust,
    compute_file_digest,
    load_trust,
)

__all__ = ("trust",)


@click.command()
@click.argument("names", nargs=-1, metavar="[HOST|FILE]...")
@click.option("--remove", is_flag=True, help="End the trust in each HOST and FILE.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@VERBOSE
def trust(names: tuple[str, ...], remove: bool, as_json: bool) -> None:
    """Trust each HOST with your credentials, and each FILE of a project as a deployer.

    Without arguments, the command lists everything that is trusted. A host that only a project's
    own files name needs your trust. mastra runs a deployer from a file of a project only if you
    trust this file. After each change of the file, trust it again.
    """
    if names:
        with change_trust() as store:
            for name in names:
                _change(store, name, remove=remove)
    store = load_trust()
    with Terminal(as_json=as_json) as terminal:
        lines = [
            *(f"host {host}" for host in store.hosts),
            *(f"file {path}" for path in store.files),
        ]
        terminal.answer(
            {"hosts": store.hosts, "files": list(store.files)}, *(lines or ["Nothing is trusted."])
        )


def _change(store: TrustStore, name: str, *, remove: bool) -> None:
    if name.endswith(".py") or Path(name).is_file():
        path = Path(name).resolve()
        if remove:
            store.files.pop(str(path), None)
        else:
            store.files[str(path)] = compute_file_digest(path)
        return
    host = parse_host(name)
    store.hosts = sorted({*store.hosts, host} - ({host} if remove else set()))
