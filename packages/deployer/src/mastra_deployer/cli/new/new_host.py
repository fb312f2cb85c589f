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
from mastra_deployer.scaffold.render import render_template, write_files

__all__ = ("new_host",)

_KILL_MARGIN = 10  # seconds after the drain until the process is killed
_ENDPOINT_DELAY = 5  # seconds until a cluster sends no more requests
_CONTAINERS = ("docker", "compose", "kubernetes")
# The health check runs in Python, as an image may lack curl; with -I and -S it loads no packages.
_HTTP_PROBE = (
    "import http.client, os, sys; "
    "c = http.client.HTTPConnection('127.0.0.1', int(os.environ['PORT']), timeout=3); "
    "c.request('GET', '/health'); sys.exit(c.getresponse().status != 200)"
)
_TCP_PROBE = (
    "import os, socket; "
    "socket.create_connection(('127.0.0.1', int(os.environ['PORT'])), timeout=3).close()"
)
_SINGLE = """\
# Workflow runs are kept in one process, so there is only one replica. With a durable engine,
# Mastra(engine=...), raise both numbers."""


@click.command("host")
@click.argument("kind")
@click.option("--image", default="", help="The app's container image; default: of a target oci.")
@click.option("--force", is_flag=True, help="Replace files that are there.")
@project_options
def new_host(options: Options, kind: str, image: str, force: bool) -> None:
    """Write the files that run the app with KIND.

    KIND is docker, compose, kubernetes, systemd or procfile.
    """
    if kind not in _VALUES:
        raise ConfigError(f"There are no files for {kind!r}.", suggest(kind, _VALUES))
    project = find_project(options.directory, options.app)
    app = read_hosting(project, image)
    files = render_template(f"host/{kind}", {**_build_values(app), **_VALUES[kind](app)})
    written = write_files(files, project.root, force=force)
    terminal = Terminal(as_json=options.as_json)
    _report_notes(kind, app, terminal)
    terminal.answer(
        {"kind": kind, "name": app.name, "files": [str(path) for path in written]},
        *(f"Wrote {path.relative_to(project.root)}." for path in written),
        "Next:",
        *(f"  {line}" for line in _list_next_steps(kind, app)),
    )


def _build_values(app: Hosting) -> dict[str, str]:
    health = ["python", "-ISc", _HTTP_PROBE if app.mastra else _TCP_PROBE]
    return {
        "NAME": app.name,
        "name": app.name,
        "python": app.python,
        "port": str(app.port),
        "drain": str(app.drain),
        "grace": str(app.drain + _KILL_MARGIN),
        "health": ", ".join(map(json.dumps, health)),
    }


def _build_compose_values(app: Hosting) -> dict[str, str]:
    mounted = (
        "# Mounts the bundle of `mastra build`, so no image has to be built.\n"
        f"image: python:{app.python}-slim\n"
        'command: [python, /app/index.py]\nvolumes:\n  - "./.mastra:/app:ro"'
    )
    required = [f"{name}: ${{{name}:?set it in .env}}" for name in app.required]
    return {
        "source": f"image: {app.image}" if app.image else mounted,
        "environment": "\n".join([*required, *(f"{name}:" for name in app.optional)]),
    }


def _build_kubernetes_values(app: Hosting) -> dict[str, str]:
    entries = [_render_secret_reference(app, name) for name in app.required]
    entries += [
        f"{_render_secret_reference(app, name)}\n      optional: true" for name in app.optional
    ]
    return {
        "grace": str(_ENDPOINT_DELAY + app.drain + _KILL_MARGIN),
        "image": _get_image(app),
        "environment": "\n".join(entries),
        "liveness_probe": _render_probe(app, "/health"),
        "readiness_probe": _render_probe(app, "/ready"),
        "scaling": _SINGLE if app.single else "",
        "min_replicas": "1" if app.single else "2",
        "max_replicas": "1" if app.single else "10",
    }


def _build_systemd_values(app: Hosting) -> dict[str, str]:
    names = [*app.required, *(f"{name} (optional)" for name in app.optional)] or ["none declared"]
    return {
        "variables": "\n".join(f"#   {name}" for name in names),
        "optional": "" if app.required else "-",
    }


_VALUES: dict[str, Callable[[Hosting], dict[str, str]]] = {
    "docker": lambda _: {},
    "compose": _build_compose_values,
    "kubernetes": _build_kubernetes_values,
    "systemd": _build_systemd_values,
    "procfile": lambda _: {},
}


def _render_secret_reference(app: Hosting, name: str) -> str:
    return (
        f"- name: {name}\n  valueFrom:\n    secretKeyRef:\n"
        f"      name: {app.name}-env\n      key: {name}"
    )


def _render_probe(app: Hosting, path: str) -> str:
    return f"httpGet:\n  path: {path}\n  port: http" if app.mastra else "tcpSocket:\n  port: http"


def _get_image(app: Hosting) -> str:
    return app.image or f"registry.example/{app.name}:latest"


def _report_notes(kind: str, app: Hosting, terminal: Terminal) -> None:
    if not app.wheels:
        terminal.note(
            f"There is no bundle yet, so port {app.port} and a drain of {app.drain} s are assumed.",
            "If the app sets others, run `mastra build`, then this command again with --force.",
        )
    elif kind in _CONTAINERS and "manylinux" not in app.wheels:
        terminal.note(
            f"The bundle in .mastra is for {app.wheels}, and the container needs manylinux.",
            "Build it with --platform x86_64-manylinux_2_28, or aarch64-manylinux_2_28.",
        )
    if kind == "kubernetes" and not app.image:
        terminal.note(
            f"No image is known, so {_get_image(app)} is written.",
            "Pass --image, or set image = '...' in [tool.mastra.targets.oci].",
        )


def _list_next_steps(kind: str, app: Hosting) -> list[str]:
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
