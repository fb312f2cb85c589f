"""``mastra-bundle.json``: the manifest of a bundle."""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ("BundleManifest", "Serve")


class Serve(msgspec.Struct, frozen=True, kw_only=True):
    """Defaults of the server in the bundle's launcher; environment variables override them.

    :param host: address to bind.
    :param port: port to bind.
    :param drain: seconds in which running requests can end after SIGTERM.
    :param proxies: addresses whose ``X-Forwarded-*`` headers are trusted.
    :param api_prefix: path of the API.
    :param single_process: whether runs are kept in the memory of one process, so that other workers
        would not find them.
    :param per_process: settings whose data each process keeps for itself, as the app writes them
        (``Server(metrics=True)``).
    :param shares_responses: whether the storage keeps the responses of the Responses API, so that
        every process can read them.
    :param body_limit: maximum bytes of a request body, if the app sets it; 0 for the default.
    :param timeouts: seconds that the app sets for requests and runs, by the name of the setting.
    """

    host: str = "0.0.0.0"  # noqa: S104  # a server in a container that binds loopback is unreachable
    port: int = 3000
    drain: float = 5
    proxies: tuple[str, ...] = ()
    api_prefix: str = "/api"
    single_process: bool = False
    per_process: tuple[str, ...] = ()
    shares_responses: bool = False
    body_limit: int = 0
    timeouts: dict[str, float] = {}


class BundleManifest(msgspec.Struct, frozen=True, kw_only=True):
    """The facts about a bundle that deployers, launchers and people read without running it.

    The manifest contains no time and no path of the build machine, so the same inputs give the same
    bytes.

    :param format: version of the manifest's format.
    :param target: name of the target, empty in a build.
    :param app: ASGI import string (``mastra_asgi:app``).
    :param paths: directories for ``sys.path``, relative to the bundle, the dependencies last.
    :param python: Python version that the dependencies were installed for (``3.12``).
    :param wheels: platform that the dependencies were installed for, as uv names it.
    :param pure: whether the bundle contains no compiled code, so that it runs on any machine and
        with any newer Python 3.
    :param kind: ``mastra``, ``asgi`` for an app of another framework, or ``wsgi`` for an app of
        another framework that is served through an adapter.
    :param entry: the application of the user, as ``module:attribute``.
    :param required: environment variables without which the app does not start.
    :param optional: environment variables that the app may read.
    :param serve: the default settings of the server that the launcher starts.
    :param registry: ids of the agents, workflows and tools, by registration key.
    :param variables: for each agent, environment variables of which its model needs one.
    :param suspending_steps: for each workflow, the paths of the steps that suspend a run; empty if
        several processes share the runs.
    :param run_database: where runs of workflows are: ``memory``, ``sqlite``, ``postgresql``,
        ``d1``, ``variable`` for the database that ``MASTRA_DATABASE_URL`` names, or ``other``;
        empty without workflows.
    :param websockets: paths of the WebSocket routes of an app of another framework.
    :param versions: versions of the packages that built the bundle.
    :param sizes: for the app and each distribution, the sum of the sizes of its files in bytes.
    :param executables: files of the bundle that are executable. If a copy has lost the executable
        bits, they are restored from this list.
    :param stripped: whether compiled libraries ship without symbols. If ``stripped`` is true, a
        deployer also removes the symbols of an interpreter that it adds.
    :param fingerprint: hash of all inputs of the build.
    :param digest: SHA-256 over the names and contents of all files and over this manifest without
        the digest. The digest identifies the whole content of the bundle.
    :param metadata: further facts that the deployer stores.
    """

    format: int = 1
    target: str = ""
    app: str
    paths: tuple[str, ...]
    python: str
    wheels: str
    pure: bool = False
    kind: str = "mastra"
    entry: str
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    serve: Serve = Serve()
    registry: dict[str, Any] = {}
    variables: dict[str, tuple[str, ...]] = {}
    suspending_steps: dict[str, tuple[str, ...]] = {}
    run_database: str = ""
    websockets: tuple[str, ...] = ()
    versions: dict[str, str] = {}
    sizes: dict[str, int] = {}
    executables: tuple[str, ...] = ()
    stripped: bool = True
    fingerprint: str = ""
    digest: str = ""
    metadata: dict[str, Any] = {}
