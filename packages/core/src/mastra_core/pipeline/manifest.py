"""``mastra-bundle.json``: what a bundle says of itself."""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ("BundleManifest", "Serve")


class Serve(msgspec.Struct, frozen=True, kw_only=True):
    """How the launcher serves, where the environment does not say.

    :param drain: seconds that running requests get after SIGTERM.
    :param proxies: addresses whose ``X-Forwarded-*`` headers are believed.
    :param api_prefix: where the API is.
    :param single_process: runs live in one process, so more workers would lose them.
    """

    host: str = "0.0.0.0"  # noqa: S104  # a server in a container that binds loopback is unreachable
    port: int = 3000
    drain: float = 5
    proxies: tuple[str, ...] = ()
    api_prefix: str = "/api"
    single_process: bool = False


class BundleManifest(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a deployer, a launcher or a person may ask of a bundle without running it.

    It holds no time and no path of the machine it was made on: same inputs, same bytes.

    :param app: ASGI import string (``mastra_asgi:app``).
    :param paths: what goes on ``sys.path``, relative to the bundle, the dependencies last.
    :param python: version the dependencies were installed for (``3.12``).
    :param wheels: platform they were installed for, in uv's words.
    :param pure: no compiled code in it, so any machine and any Python 3 of at least that
        version will do.
    :param kind: ``mastra``, or ``asgi`` for another framework's app.
    :param entry: the user's own ``module:attribute``.
    :param registry: agents, workflows and tools: registration key to id.
    :param variables: agents whose model needs one of these environment variables.
    :param versions: of the packages that made it.
    :param sizes: apparent bytes of the app and of each distribution.
    :param fingerprint: of everything the build was made from.
    :param digest: SHA-256 over names and contents of all files, and over this one without it. A
        deployment named by it is named by all that it is.
    :param metadata: the deployer's own.
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
    versions: dict[str, str] = {}
    sizes: dict[str, int] = {}
    fingerprint: str = ""
    digest: str = ""
    metadata: dict[str, Any] = {}
