"""What a host has to know of an app."""

from __future__ import annotations

import dataclasses
import math
import re

from mastra_core.errors import BundleError, ConfigError
from mastra_core.pipeline import Bundle, BundleManifest, Project, Serve
from mastra_deployer.files.directories import OUTPUT
from mastra_deployer.project.discovery import config_of
from mastra_deployer.scaffold.ci import serves_mastra, target_python

__all__ = ("Hosting", "host_name", "read_hosting")

_VARIABLE = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_PORT = 3000
_LONGEST = 40  # leaves room for what clusters append to a name of at most 63


@dataclasses.dataclass(frozen=True, kw_only=True)
class Hosting:
    """An app, as those are told who run it.

    :param name: fit for DNS: small letters, digits and '-'.
    :param drain: seconds that running requests get after SIGTERM.
    :param mastra: whether Mastra serves it, so that there are ``/health`` and ``/ready``.
    :param single: whether its runs live in one process, so that there may only be one.
    :param image: a container image of it; empty where none is known.
    :param wheels: the platform that the bundle in place is for; empty where there is none.
    """

    name: str
    python: str
    port: int
    drain: int
    required: tuple[str, ...]
    optional: tuple[str, ...]
    mastra: bool
    single: bool
    image: str
    wheels: str


def read_hosting(project: Project, image: str = "") -> Hosting:
    """What the project and, where there is one, its bundle say.

    :param image: where it is pushed to; else that of a target of the deployer ``oci``.
    :raises ConfigError: for the name of a variable that is none.
    """
    manifest = _manifest(project)
    serve = manifest.serve if manifest else Serve()
    environment = project.environment
    for name in environment.names:
        if not _VARIABLE.fullmatch(name):
            raise ConfigError(
                f"{name!r} is no name of an environment variable.",
                "Correct it in [tool.mastra.env]: letters, digits and '_'.",
            )
    mastra = manifest.kind == "mastra" if manifest else serves_mastra(project)
    return Hosting(
        name=host_name(project.name),
        python=manifest.python if manifest else target_python(project),
        port=serve.port or _PORT,
        drain=math.ceil(serve.drain),
        required=environment.required,
        optional=environment.optional,
        mastra=mastra,
        single=serve.single_process if manifest else mastra,
        image=image or _image(project),
        wheels=manifest.wheels if manifest else "",
    )


def host_name(name: str) -> str:
    """A name as DNS takes it: ``My shop`` is ``my-shop``."""
    words = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    words = words if words[:1].isalpha() else f"app-{words}"
    return words[:_LONGEST].rstrip("-")


def _manifest(project: Project) -> BundleManifest | None:
    """Of the bundle in ``.mastra``."""
    try:
        return Bundle.load(project.root / OUTPUT).manifest
    except BundleError:
        return None


def _image(project: Project) -> str:
    for name, table in config_of(project).targets.items():
        if table.get("deployer", name) == "oci" and table.get("image"):
            return f"{table['image']}:{table.get('tag', 'latest')}"
    return ""
