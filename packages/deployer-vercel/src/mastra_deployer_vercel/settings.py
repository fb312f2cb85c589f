"""Settings of the Vercel deployer."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

from mastra_core import Secret

__all__ = ("VercelDeployer",)


@dataclasses.dataclass(frozen=True, kw_only=True)
class VercelDeployer:
    """The settings, from ``deployer=``, ``[tool.mastra.targets.vercel]`` or ``-s key=value``.

    :param project_name: name of the project; the name in pyproject.toml if empty. A missing project
        is created.
    :param team_id: id (``team_...``) or slug of the team; if empty, the token's own scope.
    :param max_duration: seconds that a request may take; the default of the plan where ``None``.
    :param memory: memory of the function in megabytes; the default of the plan where ``None``.
    :param regions: regions of the function, as Vercel names them (``iad1``).
    :param crons: scheduled requests, each ``{"path": "/api/...", "schedule": "0 5 * * *"}``; they
        run in production only.
    :param static: directory of the project whose files Vercel's CDN serves.
    :param custom_environment: slug of the environment that previews are deployed to (paid plans).
    :param staged: whether a production deployment is created without its domains, and promoted
        after its smoke test. The default is off, because a new project on Vercel refuses the
        requests of the smoke test if ``bypass`` is not set.
    :param timeout: seconds to wait until the deployment is ready.
    :param token: access token, the credential ``VERCEL_TOKEN``.
    :param bypass: the secret of the project's "Protection Bypass for Automation", with which
        mastra's requests pass the deployment protection.
    :param api_url: base URL of Vercel's API.
    """

    target: ClassVar[str] = "vercel"

    project_name: str = dataclasses.field(default="", metadata={"default": "{project}"})
    team_id: str = dataclasses.field(default="", metadata={"env": "VERCEL_TEAM_ID"})
    max_duration: int | None = None
    memory: int | None = None
    regions: tuple[str, ...] = ()
    crons: tuple[Mapping[str, str], ...] = ()
    static: str = ""
    custom_environment: str = ""
    staged: bool = False
    timeout: int = 900
    token: Secret | None = dataclasses.field(default=None, metadata={"env": "VERCEL_TOKEN"})
    bypass: Secret | None = dataclasses.field(
        default=None, metadata={"env": "VERCEL_AUTOMATION_BYPASS_SECRET"}
    )
    api_url: str = dataclasses.field(
        default="https://api.vercel.com", metadata={"env": "VERCEL_API_URL"}
    )
