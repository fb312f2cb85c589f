"""Render the files that run an app on a host: containers, units of systemd, and others."""

from __future__ import annotations

import json
from collections.abc import Callable

from mastra_core.database import DATABASE_URL
from mastra_core.errors import ConfigError
from mastra_deployer.scaffold.data_directories import list_directories
from mastra_deployer.scaffold.host import Hosting
from mastra_deployer.scaffold.render import render_template

__all__ = ("HOME", "KINDS", "get_image", "list_volumes", "render_host_files")

_KILL_MARGIN = 10  # seconds after the drain until the process is killed
_MAX_USER_LENGTH = 31
_ENDPOINT_DELAY = 5  # seconds until a cluster sends no more requests
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
HOME = "/data"  # working directory of a container that writes databases
_RECREATE = """\
# The old pod ends before the new pod starts. Otherwise, both would write the databases.
type: Recreate"""
_ROLLING = "type: RollingUpdate\nrollingUpdate:\n  maxSurge: 1\n  maxUnavailable: 0"
_SINGLE_DATABASE = """\
# The app writes databases in files. Only one pod may write them, so there is only one replica.
# If the databases are on the network, raise both numbers."""
_SINGLE = """\
# Workflow runs live in one process, so there is only one replica. If the app has a durable engine,
# Mastra(engine=...), raise both numbers."""


def render_host_files(kind: str, app: Hosting) -> dict[str, str]:
    """Render the files of a kind of host, and return their texts by path.

    :param kind: one of ``KINDS``.
    :param app: the app and its settings.
    :raises ConfigError: when the host cannot run the app.
    """
    values = {**_build_values(app), **_VALUES[kind](app)}
    files = render_template(f"host/{kind}", values)
    if kind == "blue-green":
        (unit,) = render_template("host/systemd", values).values()
        files[f"blue-green/{app.name}@.service"] = unit
    if kind == "kubernetes" and app.postgres:
        files |= render_template("host/kubernetes-postgres", values)
    if kind == "kubernetes" and app.databases:
        files |= render_template("host/kubernetes-volume", values)
    return files


def list_volumes(app: Hosting) -> list[tuple[str, str]]:
    """Return the volumes of a container: their names and their mount points.

    :param app: the app and its settings.
    """
    directories = list_directories(app.databases, HOME)
    return [
        (f"data-{number}" if number > 1 else "data", directory)
        for number, directory in enumerate(directories, 1)
    ]


def get_image(app: Hosting) -> str:
    """Return the image of the app; a placeholder if it is unknown.

    :param app: the app and its settings.
    """
    return app.image or f"registry.example/{app.name}:latest"


def _build_values(app: Hosting) -> dict[str, str]:
    health = ["python", "-ISc", _HTTP_PROBE if app.mastra else _TCP_PROBE]
    return {
        "NAME": app.name,
        "user": _get_database_user(app),
        "name": app.name,
        "python": app.python,
        "port": str(app.port),
        "drain": str(app.drain),
        "grace": str(app.drain + _KILL_MARGIN),
        "health": ", ".join(map(json.dumps, health)),
    }


def _build_compose_values(app: Hosting) -> dict[str, str]:
    python = (
        "# Mounts the bundle of `mastra build`, so no image has to be built.\n"
        f"image: python:{app.python}-slim\ncommand: [python, /app/index.py]"
    )
    mounts = [] if app.image else ['  - "./.mastra:/app:ro"']
    mounts += [
        f"  - type: bind\n    source: ./{name}\n    target: {directory}\n"
        "    bind:\n      create_host_path: false"
        for name, directory in list_volumes(app)
    ]
    required = [f"{name}: {_get_compose_value(app, name)}" for name in app.required]
    replicas = _get_replicas(app)
    return {
        "depends_on": "depends_on:\n  postgres:\n    condition: service_healthy"
        if app.postgres
        else "",
        "replicas": f"replicas: {replicas}" if replicas > 1 else "",
        "published_ports": f"{app.port}-{app.port + replicas - 1}"
        if replicas > 1
        else str(app.port),
        "database": _render_compose_database(app) if app.postgres else "",
        "source": f"image: {app.image}" if app.image else python,
        "working_directory": f"working_dir: {HOME}" if app.databases else "",
        "volumes": "\n".join(["volumes:", *mounts]) if mounts else "",
        "environment": "\n".join([*required, *(f"{name}:" for name in app.optional)]),
    }


def _get_compose_value(app: Hosting, name: str) -> str:
    if app.postgres and name == DATABASE_URL:
        user = _get_database_user(app)
        return f"postgresql://{user}:${{POSTGRES_PASSWORD:?set it in .env}}@postgres/{user}"
    return f"${{{name}:?set it in .env}}"


def _render_compose_database(app: Hosting) -> str:
    user = _get_database_user(app)
    return f"""
  postgres:
    image: postgres:17
    environment:
      POSTGRES_USER: {user}
      # MASTRA_DATABASE_URL contains the password: use only letters, digits, "-", "." and "_".
      POSTGRES_PASSWORD: ${{POSTGRES_PASSWORD:?set it in .env}}
    volumes:
      - postgres:/var/lib/postgresql/data
    healthcheck:
      test: [CMD, pg_isready, -q, -h, 127.0.0.1, -U, {user}]
      interval: 5s
      timeout: 3s
      retries: 12
    restart: unless-stopped
    stop_grace_period: 60s
    security_opt:
      - no-new-privileges:true

volumes:
  postgres:"""


def _get_database_user(app: Hosting) -> str:
    """Return a name for the database and its user; the name needs no quotes in SQL."""
    return app.name.replace("-", "_")


def _get_replicas(app: Hosting) -> int:
    """Return how many instances share the database."""
    return 2 if app.postgres and not app.single and not app.databases else 1


def _build_docker_values(app: Hosting) -> dict[str, str]:
    if not app.databases:
        return {"home": "", "index": "index.py"}
    directories = json.dumps([directory for _, directory in list_volumes(app)])[1:-1]
    return {
        "home": "# The app writes databases here. Mount volumes, or the databases are removed with "
        f'the container.\nRUN ["install", "-d", "-o", "65532", "-g", "65532", {directories}]\n'
        f"WORKDIR {HOME}\n",
        "index": "/app/index.py",
    }


def _build_kubernetes_values(app: Hosting) -> dict[str, str]:
    entries = [_render_secret_reference(app, name) for name in app.required]
    entries += [
        f"{_render_secret_reference(app, name)}\n      optional: true" for name in app.optional
    ]
    volumes = list_volumes(app)
    single = app.single or bool(volumes)
    return {
        "strategy": _RECREATE if volumes else _ROLLING,
        "file_group": "fsGroup: 65532" if volumes else "",
        "working_directory": f"workingDir: {HOME}" if volumes else "",
        "mounts": "\n".join(
            f"- name: data\n  mountPath: {directory}\n  subPath: {name}"
            for name, directory in volumes
        ),
        "volumes": f"- name: data\n  persistentVolumeClaim:\n    claimName: {app.name}-data"
        if volumes
        else "",
        "grace": str(_ENDPOINT_DELAY + app.drain + _KILL_MARGIN),
        "image": get_image(app),
        "environment": "\n".join(entries),
        "liveness_probe": _render_probe(app, "/health"),
        "readiness_probe": _render_probe(app, "/ready"),
        "scaling": (_SINGLE_DATABASE if volumes else _SINGLE) if single else "",
        "min_replicas": "1" if single else "2",
        "max_replicas": "1" if single else "10",
    }


def _build_systemd_values(app: Hosting) -> dict[str, str]:
    home = f"/var/lib/{app.name}"
    directories = list_directories(app.databases, home)
    foreign = [each for each in directories if each != home and not each.startswith(f"{home}/")]
    if foreign:
        raise ConfigError(
            f"The app writes a database to {foreign[0]!r}, but the systemd unit runs as a user who "
            "cannot write there.",
            f"Use a path relative to the working directory {home}, such as 'sqlite:///app.db'.",
        )
    names = [*app.required, *(f"{name} (optional)" for name in app.optional)] or ["none declared"]
    return {
        "variables": "\n".join(f"#   {name}" for name in names),
        "state_directories": " ".join(
            each.removeprefix("/var/lib/") for each in sorted({home, *directories})
        ),
        "optional": "" if app.required else "-",
        "database_unit": " postgresql.service" if app.postgres else "",
        "workers": " WEB_CONCURRENCY=2" if _get_replicas(app) > 1 else "",
        "bundle": f"/opt/{app.name}",
        "instance": "",
        "unit_port": str(app.port),
        "unit_user": "",
    }


def _build_blue_green_values(app: Hosting) -> dict[str, str]:
    """Build the values for a systemd template unit; the instance name is the port."""
    return {
        **_build_systemd_values(app),
        "bundle": f"/opt/{app.name}/%i",
        "instance": " (%i)",
        "unit_port": "%i",
        "unit_user": f"User={app.name[:_MAX_USER_LENGTH].rstrip('-')}",
        "other_port": str(app.port + 1),
        "ready_path": "/ready" if app.mastra else "/",
        "ready_below": "400" if app.mastra else "600",  # any answer shows that the port is open
    }


def _render_secret_reference(app: Hosting, name: str) -> str:
    return (
        f"- name: {name}\n  valueFrom:\n    secretKeyRef:\n"
        f"      name: {app.name}-env\n      key: {name}"
    )


def _render_probe(app: Hosting, path: str) -> str:
    return f"httpGet:\n  path: {path}\n  port: http" if app.mastra else "tcpSocket:\n  port: http"


_VALUES: dict[str, Callable[[Hosting], dict[str, str]]] = {
    "docker": _build_docker_values,
    "compose": _build_compose_values,
    "kubernetes": _build_kubernetes_values,
    "systemd": _build_systemd_values,
    "blue-green": _build_blue_green_values,
    "procfile": lambda _: {},
}
KINDS = tuple(_VALUES)
