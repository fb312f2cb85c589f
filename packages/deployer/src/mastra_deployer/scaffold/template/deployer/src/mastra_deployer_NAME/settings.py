"""What users may set."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from mastra_core import Secret

__all__ = ("<<cls>>",)


@dataclasses.dataclass(frozen=True, kw_only=True)
class <<cls>>:
    """Given in `deployer=`, in pyproject.toml, or as `-s app=shop`.

    Users' code imports this, so nothing but mastra_core is imported at the top of this file.

    :param app: the app's name at <<title>>.
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
