"""Settings of the OCI deployer."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

from mastra_core.secret import Secret

__all__ = ("SCRATCH", "OciDeployer")

SCRATCH = "scratch+python"


@dataclasses.dataclass(frozen=True, kw_only=True)
class OciDeployer:
    """The settings, from ``deployer=``, ``[tool.mastra.targets.oci]`` or ``-s key=value``.

    :param image: repository to push to, ``registry.example/team/app``, without a tag.
    :param base: base image; ``{python}`` is replaced by the app's Python version. With
        ``scratch+python``, the image has no base image, but its own interpreter and the shared
        libraries that the interpreter needs.
    :param interpreter: for ``scratch+python``: a directory or an archive with the Python to put
        into the image. If ``interpreter`` is empty, the deployer uses a Python of this machine, or
        else a Python that uv downloads.
    :param python: command that starts Python in the base image.
    :param tag: name of the tag that production uses.
    :param user: user that runs the app, as numeric ``user[:group]``.
    :param port: port that the app listens on; 0 for the port of the app's own configuration.
    :param health: path of the health check; empty for no health check.
    :param labels: additional labels of the image.
    :param merge: whether a deploy adds its platform to the image under the tag. The app must have
        the same sources on all platforms of the image.
    :param username: user name at the registry; if empty, Docker's stored logins are used.
    :param password: password or access token that belongs to ``username``.
    :param token: bearer token, instead of a user name and a password.
    :param api_url: base URL of the registry's API; derived from the registry's host if empty.
    """

    target: ClassVar[str] = "oci"

    image: str
    base: str = "docker.io/library/python:{python}-slim"
    interpreter: str = ""
    python: str = "python"
    tag: str = "latest"
    user: str = "65532:65532"
    port: int = 0
    health: str = "/health"
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    merge: bool = False
    username: Secret | None = dataclasses.field(default=None, metadata={"env": "OCI_USERNAME"})
    password: Secret | None = dataclasses.field(default=None, metadata={"env": "OCI_PASSWORD"})
    token: Secret | None = dataclasses.field(default=None, metadata={"env": "OCI_TOKEN"})
    api_url: str = dataclasses.field(default="", metadata={"env": "OCI_REGISTRY_URL"})
