"""``mastra new host``."""

from __future__ import annotations

import click

from mastra_core.errors import ConfigError
from mastra_deployer.cli.options import Options, project_options
from mastra_deployer.cli.terminal import Terminal
from mastra_deployer.project.discovery import find_project
from mastra_deployer.project.suggest import suggest
from mastra_deployer.scaffold.host import Hosting, read_hosting
from mastra_deployer.scaffold.host_files import (
    HOME,
    KINDS,
    get_image,
    list_volumes,
    render_host_files,
)
from mastra_deployer.scaffold.render import write_files

__all__ = ("new_host",)

_CONTAINERS = ("docker", "compose", "kubernetes")


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
    if kind not in KINDS:
        message = f"There is no kind of host {kind!r}." if kind else "KIND is missing."
        raise ConfigError(message, suggest(kind, KINDS))
    project = find_project(options.directory, options.app)
    app = read_hosting(project, image)
    written = write_files(render_host_files(kind, app), project.root, force=force)
    terminal = Terminal(as_json=options.as_json)
    _report_notes(kind, app, terminal)
    terminal.answer(
        {"kind": kind, "name": app.name, "files": [str(path) for path in written]},
        *(f"Wrote {path.relative_to(project.root)}." for path in written),
        "Next:",
        *(f"  {line}" for line in _list_next_steps(kind, app)),
    )


def _report_notes(kind: str, app: Hosting, terminal: Terminal) -> None:
    if not app.wheels:
        drain = f"a drain timeout of {app.drain} s"
        rest = f", {drain} and one instance" if app.single else f" and {drain}"
        terminal.note(
            f"There is no bundle yet. The files assume port {app.port}{rest}.",
            "If this is not right for the app, run `mastra build`, and then this command again "
            "with --force.",
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
            f"The name of the image is unknown. The files contain {get_image(app)}.",
            "Pass --image, or set image = '...' in [tool.mastra.targets.oci].",
        )


def _report_databases(app: Hosting, terminal: Terminal) -> None:
    listed = ", ".join(f"{each.text!r} ({each.where})" for each in app.databases)
    directories = " and ".join(directory for _, directory in list_volumes(app))
    terminal.note(
        f"The app writes databases in files: {listed}. Therefore the files run one instance, with "
        f"a volume at {directories}.",
        "For several instances, use a database on the network.",
    )
    for each in app.databases:
        if not each.path:
            terminal.note(
                f"The path {each.text!r} ({each.where}) is known only at run time.",
                f"Make sure that it is below {HOME}, which is the working directory and a volume.",
            )


def _list_next_steps(kind: str, app: Hosting) -> list[str]:
    has_variables = bool(app.required or app.optional)
    values = " --env-file .env" if has_variables else ""
    install_values = [f"sudo install -m 600 .env /etc/{app.name}.env"] if has_variables else []
    secret = f"kubectl create secret generic {app.name}-env --from-env-file=.env"
    volumes = list_volumes(app) if kind in _CONTAINERS else []
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
