"""``mastra new host``."""

from __future__ import annotations

import json
from collections.abc import Callable

import click

from mastra_core.errors import ConfigError
from mastra_deployer.cli.options import Options, project_options
from mastra_deployer.cli.terminal import Terminal
from mastra_deployer.project.discovery import find_project
from mastra_deployer.project.suggest import suggest
from mastra_deployer.scaffold.host import Hosting, read_hosting
from mastra_deployer.scaffold.render import filled, write_files

__all__ = ("new_host",)

_SPARE = 10  # seconds beyond the drain, until it is killed
_STEPS_ASIDE = 5  # seconds that a cluster takes to send nothing more
_CONTAINERS = ("docker", "compose", "kubernetes")
# A small Python asks: no image has to have curl. -I and -S: nothing of the app is loaded.
_ASKS = (
    "import http.client, os, sys; "
    "c = http.client.HTTPConnection('127.0.0.1', int(os.environ['PORT']), timeout=3); "
    "c.request('GET', '/health'); sys.exit(c.getresponse().status != 200)"
)
_KNOCKS = (
    "import os, socket; "
    "socket.create_connection(('127.0.0.1', int(os.environ['PORT'])), timeout=3).close()"
)
_SINGLE = """\
# Workflow runs live in one process, so there is one. With a durable engine, Mastra(engine=...),
# raise both numbers."""


@click.command("host")
@click.argument("kind")
@click.option("--image", default="", help="The app's container image; that of a target oci.")
@click.option("--force", is_flag=True, help="Replace files that are there.")
@project_options
def new_host(options: Options, kind: str, image: str, force: bool) -> None:
    """Write the files with which KIND runs the app.

    KIND is docker, compose, kubernetes, systemd or procfile.
    """
    if kind not in _VALUES:
        raise ConfigError(f"There are no files for {kind!r}.", suggest(kind, _VALUES))
    project = find_project(options.directory, options.app)
    app = read_hosting(project, image)
    files = filled(f"host/{kind}", {**_shared(app), **_VALUES[kind](app)})
    written = write_files(files, project.root, force=force)
    terminal = Terminal(as_json=options.as_json)
    _note(kind, app, terminal)
    terminal.answer(
        {"kind": kind, "name": app.name, "files": [str(path) for path in written]},
        *(f"Wrote {path.relative_to(project.root)}." for path in written),
        "Next:",
        *(f"  {line}" for line in _next(kind, app)),
    )


def _shared(app: Hosting) -> dict[str, str]:
    health = ["python", "-ISc", _ASKS if app.mastra else _KNOCKS]
    return {
        "NAME": app.name,
        "name": app.name,
        "python": app.python,
        "port": str(app.port),
        "drain": str(app.drain),
        "grace": str(app.drain + _SPARE),
        "health": ", ".join(map(json.dumps, health)),
    }


def _compose(app: Hosting) -> dict[str, str]:
    mounted = (
        "# The bundle itself, as `mastra build` makes it: no image has to be built.\n"
        f"image: python:{app.python}-slim\n"
        'command: [python, /app/index.py]\nvolumes:\n  - "./.mastra:/app:ro"'
    )
    required = [f"{name}: ${{{name}:?set it in .env}}" for name in app.required]
    return {
        "source": f"image: {app.image}" if app.image else mounted,
        "environment": "\n".join([*required, *(f"{name}:" for name in app.optional)]),
    }


def _kubernetes(app: Hosting) -> dict[str, str]:
    entries = [_reference(app, name) for name in app.required]
    entries += [f"{_reference(app, name)}\n      optional: true" for name in app.optional]
    return {
        "grace": str(_STEPS_ASIDE + app.drain + _SPARE),
        "image": _image(app),
        "environment": "\n".join(entries),
        "alive": _probe(app, "/health"),
        "ready": _probe(app, "/ready"),
        "scaling": _SINGLE if app.single else "",
        "least": "1" if app.single else "2",
        "most": "1" if app.single else "10",
    }


def _systemd(app: Hosting) -> dict[str, str]:
    told = [*app.required, *(f"{name} (optional)" for name in app.optional)] or ["none declared"]
    return {
        "listed": "\n".join(f"#   {line}" for line in told),
        "optional": "" if app.required else "-",
    }


_VALUES: dict[str, Callable[[Hosting], dict[str, str]]] = {
    "docker": lambda _: {},
    "compose": _compose,
    "kubernetes": _kubernetes,
    "systemd": _systemd,
    "procfile": lambda _: {},
}


def _reference(app: Hosting, name: str) -> str:
    return (
        f"- name: {name}\n  valueFrom:\n    secretKeyRef:\n"
        f"      name: {app.name}-env\n      key: {name}"
    )


def _probe(app: Hosting, path: str) -> str:
    return f"httpGet:\n  path: {path}\n  port: http" if app.mastra else "tcpSocket:\n  port: http"


def _image(app: Hosting) -> str:
    return app.image or f"registry.example/{app.name}:latest"


def _note(kind: str, app: Hosting, terminal: Terminal) -> None:
    if not app.wheels:
        terminal.note(
            f"There is no bundle yet, so port {app.port} and {app.drain} s to drain are taken.",
            "If the app says otherwise: mastra build, then this again with --force.",
        )
    elif kind in _CONTAINERS and "manylinux" not in app.wheels:
        terminal.note(
            f"The bundle in .mastra is for {app.wheels}, which no such container runs.",
            "Build it with --platform x86_64-manylinux_2_28, or aarch64-manylinux_2_28.",
        )
    if kind == "kubernetes" and not app.image:
        terminal.note(
            f"No image is known, so {_image(app)} is written.",
            "Pass --image, or write image = '...' in [tool.mastra.targets.oci].",
        )


def _next(kind: str, app: Hosting) -> list[str]:
    values = " --env-file .env" if app.required or app.optional else ""
    return {
        "docker": [
            f"mastra build && docker build -t {app.name} .",
            f"docker run --rm --read-only -p {app.port}:{app.port}{values} {app.name}",
        ],
        "compose": ["mastra build && docker compose up -d --wait"],
        "kubernetes": [
            "mastra deploy oci --prod, or docker build and push",
            f"kubectl create secret generic {app.name}-env --from-env-file=.env",
            "kubectl apply -f kubernetes/",
        ],
        "systemd": [
            f"mastra build && sudo cp -rT .mastra /opt/{app.name}",
            f"sudo chmod -R a+rX /opt/{app.name}",
            f"sudo install -m 600 .env /etc/{app.name}.env",
            f"sudo cp systemd/{app.name}.service /etc/systemd/system/",
            f"sudo systemctl daemon-reload && sudo systemctl enable --now {app.name}",
        ],
        "procfile": ["mastra build && honcho start, or another that reads a Procfile"],
    }[kind]
