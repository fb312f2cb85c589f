"""Settings of the Netlify deployer."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from mastra_core import Secret

__all__ = ("NetlifyDeployer",)


@dataclasses.dataclass(frozen=True, kw_only=True)
class NetlifyDeployer:
    """The settings, from ``deployer=``, ``[tool.mastra.targets.netlify]`` or ``-s key=value``.

    :param project_name: name of the site, which is unique on Netlify. A missing site is created.
    :param scope: slug of the team; if empty, the only team of the token.
    :param region: region of the function, as Netlify names it (``fra``); if empty, the region of
        the site.
    :param memory: memory of the function in megabytes; Netlify's default where ``None``.
    :param background: add a background function, which executes durable runs for up to 15 minutes
        without a request that waits for them.
    :param interpreter: a directory, a ``.tar.gz`` or a ``.tar.zst`` with the Python to put into the
        function. If ``interpreter`` is empty, the deployer uses a Python of this machine, or else a
        Python that uv downloads.
    :param static: directory of the project whose files Netlify's CDN serves.
    :param staged: whether a production deployment is created as a draft, and published after its
        smoke test.
    :param timeout: seconds to wait until the deployment is ready.
    :param token: personal access token, the credential ``NETLIFY_AUTH_TOKEN``.
    :param api_url: base URL of Netlify's API, with its path.
    """

    target: ClassVar[str] = "netlify"

    project_name: str
    scope: str = ""
    region: str = ""
    memory: int | None = None
    background: bool = False
    interpreter: str = ""
    static: str = ""
    staged: bool = True
    timeout: int = 900
    token: Secret | None = dataclasses.field(default=None, metadata={"env": "NETLIFY_AUTH_TOKEN"})
    api_url: str = dataclasses.field(
        default="https://api.netlify.com/api/v1", metadata={"env": "NETLIFY_API_URL"}
    )
