"""The settings of Acme's deployer; importing them loads mastra_core and nothing else."""

from dataclasses import dataclass, field
from typing import ClassVar

from mastra_core import Secret

__all__ = ("AcmeDeployer",)


@dataclass(frozen=True, kw_only=True)
class AcmeDeployer:
    target: ClassVar[str] = "acme"
    app: str
    token: Secret | None = field(default=None, metadata={"env": "ACME_TOKEN"})
    api_url: str = field(default="https://api.acme.example", metadata={"env": "ACME_API_URL"})
