"""Settings of the Cloudflare deployer."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import ClassVar, Literal

from mastra_core import Secret

__all__ = ("CloudflareDeployer",)


@dataclasses.dataclass(frozen=True, kw_only=True)
class CloudflareDeployer:
    """The settings, from ``deployer=``, ``[tool.mastra.targets.cloudflare]`` or ``-s key=value``.

    In each mapping of bindings, the key is the name of the binding, as in ``env.NAME`` of a Worker.

    :param project_name: name of the Worker; the name in pyproject.toml if empty. A missing Worker
        is created.
    :param scope: id of the account; if empty, the only account of the token.
    :param vars: values of plain-text bindings, which everybody with access to the account can
        read.
    :param kv: titles of KV namespaces; a missing namespace is created.
    :param d1: names of D1 databases; a missing database is created.
    :param r2: names of R2 buckets; a missing bucket is created.
    :param queues: names of queues that the app sends messages to; a missing queue is created.
    :param services: names of other Workers, ``WORKER`` or ``WORKER#ENTRYPOINT``.
    :param ai: name of the binding for Workers AI; none if empty.
    :param routes: patterns of routes, such as ``shop.example.com/*``.
    :param custom_domains: host names that belong to the Worker alone, such as
        ``shop.example.com``.
    :param crons: cron expressions, in UTC; each runs the Worker's scheduled handler.
    :param workers_dev: whether the Worker has an address on the account's subdomain of workers.dev.
    :param placement: ``smart`` to run the Worker near the services that it calls; empty to run it
        near the caller.
    :param cpu_ms: milliseconds of CPU time for a request; Cloudflare's default where ``None``.
    :param preload: whether the modules that the app's agents need are imported while the Worker
        starts.
    :param staged: whether a production version is uploaded without traffic, and promoted after its
        smoke test.
    :param index: address of a further package index with wheels for Pyodide; if empty, only the
        project's indexes are used.
    :param build_app: when the app is imported: ``import`` while the Worker starts, or ``request``
        at the first request.
    :param token: API token, the credential ``CLOUDFLARE_API_TOKEN``.
    :param api_url: base URL of Cloudflare's API, with its path.
    """

    target: ClassVar[str] = "cloudflare"

    project_name: str = dataclasses.field(default="", metadata={"default": "{project}"})
    scope: str = dataclasses.field(default="", metadata={"env": "CLOUDFLARE_ACCOUNT_ID"})
    vars: Mapping[str, str] = dataclasses.field(default_factory=dict)
    kv: Mapping[str, str] = dataclasses.field(default_factory=dict)
    d1: Mapping[str, str] = dataclasses.field(default_factory=dict)
    r2: Mapping[str, str] = dataclasses.field(default_factory=dict)
    queues: Mapping[str, str] = dataclasses.field(default_factory=dict)
    services: Mapping[str, str] = dataclasses.field(default_factory=dict)
    ai: str = ""
    routes: tuple[str, ...] = ()
    custom_domains: tuple[str, ...] = ()
    crons: tuple[str, ...] = ()
    workers_dev: bool = True
    placement: Literal["", "smart"] = ""
    cpu_ms: int | None = None
    preload: bool = True
    staged: bool = True
    index: str = ""
    build_app: Literal["import", "request"] = "import"
    token: Secret | None = dataclasses.field(default=None, metadata={"env": "CLOUDFLARE_API_TOKEN"})
    api_url: str = dataclasses.field(
        default="https://api.cloudflare.com/client/v4",
        metadata={"env": ("CLOUDFLARE_API_BASE_URL", "CLOUDFLARE_BASE_URL")},
    )
