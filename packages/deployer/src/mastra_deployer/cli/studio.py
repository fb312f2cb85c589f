"""``mastra studio``."""

from __future__ import annotations

import click

from mastra_deployer.cli.options import ALLOW_HOST, VERBOSE
from mastra_deployer.cli.terminal import Terminal

__all__ = ("studio",)

_LOOPBACK = "127.0.0.1"


@click.command()
@click.argument("url", default="http://127.0.0.1:3000")
@click.option("--api-prefix", default="/api", show_default=True, help="Path of the server's API.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="Port to bind; default: 4000 or the next free port.",
)
@ALLOW_HOST
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@VERBOSE
def studio(
    url: str, api_prefix: str, port: int | None, allow_hosts: tuple[str, ...], as_json: bool
) -> None:
    """Serve Mastra Studio for the server at URL, to try agents and workflows in a browser.

    The first run downloads Studio from npm's registry. Node is not needed.
    """
    from mastra_deployer.dev.local_access_child import LocalAccess
    from mastra_deployer.dev.ports import listen, listen_near, to_url
    from mastra_deployer.studio.download import VERSION, get_studio_files
    from mastra_deployer.studio.studio_server import StudioServer, build_page_values, render_page

    values = build_page_values(url, api_prefix)
    with Terminal(as_json=as_json) as terminal:
        files = get_studio_files(terminal)
        listener = listen_near(_LOOPBACK, 4000) if port is None else listen(_LOOPBACK, port)
        result = {"url": to_url(listener), "server": url, "version": VERSION}
        terminal.answer(result, f"Mastra Studio {VERSION} for {url}: {result['url']}")
    access = LocalAccess("mastra studio", _LOOPBACK, allow_hosts)
    with StudioServer(listener, files, render_page(files, values), access) as server:
        server.serve_forever()
