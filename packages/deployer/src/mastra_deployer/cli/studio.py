"""``mastra studio``."""

from __future__ import annotations

import click

from mastra_deployer.cli.options import VERBOSE
from mastra_deployer.cli.terminal import Terminal

__all__ = ("studio",)

_HERE = "127.0.0.1"


@click.command()
@click.argument("url", default="http://127.0.0.1:3000")
@click.option("--api-prefix", default="/api", show_default=True, help="Where the API is there.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to bind; 4000 or the next.")
@click.option("--json", "as_json", is_flag=True, help="Answer with one JSON object.")
@VERBOSE
def studio(url: str, api_prefix: str, port: int | None, as_json: bool) -> None:
    """Open Mastra Studio on the server at URL, to try its agents and workflows in a browser.

    The page is loaded from npm's registry the first time. Needs no Node.
    """
    from mastra_deployer.dev.ports import listen, listen_near, url_of
    from mastra_deployer.studio.download import VERSION, studio_files
    from mastra_deployer.studio.server import StudioServer, page_values, studio_page

    values = page_values(url, api_prefix)
    with Terminal(as_json=as_json) as terminal:
        files = studio_files(terminal)
        listener = listen_near(_HERE, 4000) if port is None else listen(_HERE, port)
        told = {"url": url_of(listener), "server": url, "version": VERSION}
        terminal.answer(told, f"Mastra Studio {VERSION} for {url}: {told['url']}")
    with StudioServer(listener, files, studio_page(files, values)) as server:
        server.serve_forever()
