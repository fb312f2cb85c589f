"""The settings of <<title>>'s deployer."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from mastra_core import Secret

__all__ = ("<<cls>>",)


@dataclasses.dataclass(frozen=True, kw_only=True)
class <<cls>>:
    """Settings from `deployer=`, from pyproject.toml, or from `-s app=shop`.

    Apps import this class, so this file imports nothing but mastra_core.

    :param app: the app's name at <<title>>.
    :param token: authorizes the requests; keep it out of the code.
    :param api_url: the address of <<title>>'s API.
    """

    target: ClassVar[str] = "<<name>>"

    app: str = dataclasses.field(metadata={"env": "<<ENV>>_APP"})
    token: Secret | None = dataclasses.field(
        default=None,
        metadata={"env": "<<ENV>>_TOKEN"},
    )
    api_url: str = dataclasses.field(
        default="https://api.<<name>>.example",
        metadata={"env": "<<ENV>>_API_URL"},
    )
