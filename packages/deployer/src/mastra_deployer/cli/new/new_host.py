"""``mastra new host``."""

from __future__ import annotations

import json
from collections.abc import Callable

import click

from mastra_core.database import DATABASE_URL
from mastra_core.errors import ConfigError
from mastra_deployer.cli.options import Options, project_options
from mastra_deployer.cli.terminal import Terminal
from mastra_deployer.project.discovery import find_project
from mastra_deployer.project.suggest import suggest
from mastra_deployer.scaffold.data_directories import list_directories
from mastra_deployer.scaffold.host import Hosting, read_hosting
from mastra_deployer.scaffold.render import render_template, write_files

__all__ = ("new_host",)

_KILL_MARGIN = 10  # seconds after the drain until the process is killed
_MAX_USER_LENGTH = 31
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
_HOME = "/data"  # working directory of a container that writes databases
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


@click.command("host")
@click.argument("kind", default="")
@click.option(
    "--image", default="", help="Container image of the app; default: that of the target oci."
)
@click.option("--force", is_flag=True, help="Replace existing files.")
@project_options
def new_host(options: Options, kind: str, image: str, force: bool) -> None:
    """Write the files that run the app with KIND.

    KIND is docker, compose, kubernetes, systemd, blue-green or procfile.
    """
    if kind not in _VALUES:
        message = f"There is no kind of host {kind!r}." if kind else "KIND is missing."
        raise ConfigError(message, suggest(kind, _VALUES))
    project = find_project(options.directory, options.app)
    app = read_hosting(project, image)
    values = {**_build_values(app), **_VALUES[kind](app)}
    files = render_template(f"host/{kind}", values)
    if kind == "blue-green":
        (unit,) = render_template("host/systemd", values).values()
        files[f"blue-green/{app.name}@.service"] = unit
    if kind == "kubernetes" and app.postgres:
        files |= render_template("host/kubernetes-postgres", values)
    if kind == "kubernetes" and app.databases:
        files |= render_template("host/kubernetes-volume", values)
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
        for name, directory in _list_volumes(app)
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
        "working_directory": f"working_dir: {_HOME}" if app.databases else "",
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
    directories = json.dumps([directory for _, directory in _list_volumes(app)])[1:-1]
    return {
        "home": "# The app writes databases here. Mount volumes, or the databases are removed with "
        f'the container.\nRUN ["install", "-d", "-o", "65532", "-g", "65532", {directories}]\n'
        f"WORKDIR {_HOME}\n",
        "index": "/app/index.py",
    }


def _list_volumes(app: Hosting) -> list[tuple[str, str]]:
    """Return the volumes: their names and their mount points."""
    directories = list_directories(app.databases, _HOME)
    return [
        (f"data-{number}" if number > 1 else "data", directory)
        for number, directory in enumerate(directories, 1)
    ]


def _build_kubernetes_values(app: Hosting) -> dict[str, str]:
    entries = [_render_secret_reference(app, name) for name in app.required]
    entries += [
        f"{_render_secret_reference(app, name)}\n      optional: true" for name in app.optional
    ]
    volumes = _list_volumes(app)
    single = app.single or bool(volumes)
    return {
        "strategy": _RECREATE if volumes else _ROLLING,
        "file_group": "fsGroup: 65532" if volumes else "",
        "working_directory": f"workingDir: {_HOME}" if volumes else "",
        "mounts": "\n".join(
            f"- name: data\n  mountPath: {directory}\n  subPath: {name}"
            for name, directory in volumes
        ),
        "volumes": f"- name: data\n  persistentVolumeClaim:\n    claimName: {app.name}-data"
        if volumes
        else "",
        "grace": str(_ENDPOINT_DELAY + app.drain + _KILL_MARGIN),
        "image": _get_image(app),
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


_VALUES: dict[str, Callable[[Hosting], dict[str, str]]] = {
    "docker": _build_docker_values,
    "compose": _build_compose_values,
    "kubernetes": _build_kubernetes_values,
    "systemd": _build_systemd_values,
    "blue-green": _build_blue_green_values,
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
            f"There is no bundle yet. The files assume port {app.port} and a drain timeout of "
            f"{app.drain} s.",
            "If the app sets other values, run `mastra build`, and then this command again with "
            "--force.",
        )
    elif kind in _CONTAINERS and "manylinux" not in app.wheels:
        terminal.note(
            f"The bundle in .mastra is for {app.wheels}, but the container needs manylinux.",
            "Build the bundle with --platform x86_64-manylinux_2_28 or aarch64-manylinux_2_28.",
        )
    if kind in _CONTAINERS and app.databases:
        _report_databases(app, terminal)
    if kind == "kubernetes" and not app.image:
        terminal.note(
            f"The name of the image is unknown. The files contain {_get_image(app)}.",
            "Pass --image, or set image = '...' in [tool.mastra.targets.oci].",
        )


def _report_databases(app: Hosting, terminal: Terminal) -> None:
    listed = ", ".join(f"{each.text!r} ({each.where})" for each in app.databases)
    directories = " and ".join(directory for _, directory in _list_volumes(app))
    terminal.note(
        f"The app writes databases in files: {listed}. Therefore the files run one instance, with "
        f"a volume at {directories}.",
        "For several instances, use a database on the network.",
    )
    for each in app.databases:
        if not each.path:
            terminal.note(
                f"The path {each.text!r} ({each.where}) is known only at run time.",
                f"Make sure that it is below {_HOME}, which is the working directory and a volume.",
            )


def _list_next_steps(kind: str, app: Hosting) -> list[str]:
    has_variables = bool(app.required or app.optional)
    values = " --env-file .env" if has_variables else ""
    install_values = [f"sudo install -m 600 .env /etc/{app.name}.env"] if has_variables else []
    secret = f"kubectl create secret generic {app.name}-env --from-env-file=.env"
    volumes = _list_volumes(app) if kind in _CONTAINERS else []
    mounts = "".join(f" -v {app.name}-{name}:{directory}" for name, directory in volumes)
    folders = [f"sudo install -d -o 65532 -g 65532 {name}" for name, _ in volumes]
    return {
        "docker": [
            f"mastra build && docker build -t {app.name} .",
            f"docker run --rm --read-only -p {app.port}:{app.port}{mounts}{values} {app.name}",
        ],
        "compose": [*folders, "mastra build && docker compose up -d --wait"],
        "kubernetes": [
            "mastra deploy oci --prod, or docker build and push",
            *([secret] if has_variables else []),
            "kubectl apply -f kubernetes/",
        ],
        "systemd": [
            f"mastra build && sudo rm -rf /opt/{app.name}",
            f"sudo cp -rT .mastra /opt/{app.name} && sudo chmod -R a+rX /opt/{app.name}",
            *install_values,
            f"sudo cp systemd/{app.name}.service /etc/systemd/system/",
            f"sudo systemctl daemon-reload && sudo systemctl enable {app.name}",
            f"sudo systemctl restart {app.name}",
        ],
        "blue-green": [
            f"sudo cp blue-green/{app.name}@.service /etc/systemd/system/",
            *install_values,
            f"sudo cp blue-green/nginx.conf /etc/nginx/conf.d/{app.name}.conf",
            f"mastra build && sudo rm -rf /opt/{app.name}/{app.port}",
            f"sudo mkdir -p /opt/{app.name} && sudo cp -rT .mastra /opt/{app.name}/{app.port}",
            f"sudo chmod -R a+rX /opt/{app.name} && sudo systemctl daemon-reload",
            "sudo python3 blue-green/switch.py blue",
        ],
        "procfile": ["mastra build && honcho start, or another that reads a Procfile"],
    }[kind]
