"""What a user says of Vercel."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

from mastra_core import Secret

__all__ = ("VercelDeployer",)


@dataclasses.dataclass(frozen=True, kw_only=True)
class VercelDeployer:
    """Settings: in ``deployer=``, in ``[tool.mastra.targets.vercel]``, or as ``-s key=value``.

    :param project_name: made where it is not there.
    :param team_id: ``team_...`` or the team's slug; the token's own scope where empty.
    :param max_duration: seconds a request may take; the plan's default where not given.
    :param memory: megabytes of the function; the plan's default where not given.
    :param regions: where it runs, as Vercel names them (``iad1``).
    :param crons: ``{"path": "/api/...", "schedule": "0 5 * * *"}`` each; production only.
    :param static: a folder of the project whose files are served by Vercel's CDN.
    :param custom_environment: slug of the environment that previews go to (paid plans).
    :param staged: make a production deployment without its domains, try it, and promote it then.
    :param timeout: seconds to wait until it is ready.
    :param bypass: the project's secret for automation; requests past its protection need it.
    """

    target: ClassVar[str] = "vercel"

    project_name: str
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
