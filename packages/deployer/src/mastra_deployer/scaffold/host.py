"""Read from a project the facts that its host needs."""

from __future__ import annotations

import dataclasses
import math
import re

from mastra_core.database import DATABASE_URL
from mastra_core.errors import BundleError
from mastra_core.pipeline import Bundle, BundleManifest, Project, Serve
from mastra_deployer.files.directories import OUTPUT_DIRECTORY
from mastra_deployer.project.discovery import get_config
from mastra_deployer.scaffold.ci import get_target_python, is_mastra_app
from mastra_deployer.scaffold.data_directories import Database, find_databases
from mastra_deployer.scaffold.variable_names import require_plain_names

__all__ = ("Hosting", "read_hosting", "to_host_name")

_PORT = 3000
_MAX_LENGTH = 40  # leaves room for what clusters append to a name of at most 63


@dataclasses.dataclass(frozen=True, kw_only=True)
class Hosting:
    """The facts about an app that a host's configuration needs.

    :param name: a name that is valid in DNS: small letters, digits and '-'.
    :param python: version that the bundle is for.
    :param port: the port that the app listens on.
    :param drain: seconds that running requests get after SIGTERM.
    :param required: names of variables that the app needs.
    :param optional: names of variables that the app may use.
    :param mastra: whether Mastra serves the app, with ``/health`` and ``/ready``.
    :param postgres: whether the app requires the URL of a database on the network.
    :param single: whether runs are kept in the memory of a process, so that there must be only one
        process.
    :param databases: the databases in files that the app writes.
    :param image: a container image of the app; empty if unknown.
    :param wheels: the platform of the bundle in ``.mastra``; empty without a bundle.
    """

    name: str
    python: str
    port: int
    drain: int
    required: tuple[str, ...]
    optional: tuple[str, ...]
    mastra: bool
    postgres: bool
    single: bool
    databases: tuple[Database, ...]
    image: str
    wheels: str


def read_hosting(project: Project, image: str = "") -> Hosting:
    """Read the facts about an app from the project, and from its bundle if there is one.

    :param project: the project to run.
    :param image: the name of the image; if empty, the image in the settings of the deployer
        ``oci``.
    :raises ConfigError: for an invalid name of a variable.
    """
    manifest = _load_manifest(project)
    serve = manifest.serve if manifest else Serve()
    environment = project.environment
    require_plain_names(environment.names)
    mastra = manifest.kind == "mastra" if manifest else is_mastra_app(project)
    return Hosting(
        name=to_host_name(project.name),
        python=manifest.python if manifest else get_target_python(project),
        port=serve.port or _PORT,
        drain=math.ceil(serve.drain),
        required=environment.required,
        optional=environment.optional,
        mastra=mastra,
        postgres=DATABASE_URL in environment.required,
        single=serve.single_process if manifest else mastra,
        databases=find_databases(project),
        image=image or _find_image(project),
        wheels=manifest.wheels if manifest else "",
    )


def to_host_name(name: str) -> str:
    """Convert a name to a valid DNS name: ``My shop`` becomes ``my-shop``.

    :param name: the name of a project.
    """
    label = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    label = label if label[:1].isalpha() else f"app-{label}"
    return label[:_MAX_LENGTH].rstrip("-")


def _load_manifest(project: Project) -> BundleManifest | None:
    """Load the manifest of the bundle in ``.mastra``."""
    try:
        return Bundle.load(project.root / OUTPUT_DIRECTORY).manifest
    except BundleError:
        return None


def _find_image(project: Project) -> str:
    for name, table in get_config(project).targets.items():
        if table.get("deployer", name) == "oci" and table.get("image"):
            return f"{table['image']}:{table.get('tag', 'latest')}"
    return ""
