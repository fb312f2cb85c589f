"""What a user may say of the image."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

from mastra_core.secret import Secret

__all__ = ("SCRATCH", "OciDeployer")

SCRATCH = "scratch+python"


@dataclasses.dataclass(frozen=True, kw_only=True)
class OciDeployer:
    """Settings: in ``deployer=``, in ``[tool.mastra.targets.oci]``, or as ``-s key=value``.

    :param image: where the image goes, ``registry.example/team/app``; without a tag.
    :param base: the image it stands on; ``{python}`` is the app's version. ``scratch+python``
        for none: then the image holds an interpreter and the libraries that needs.
    :param interpreter: for ``scratch+python``: a directory or archive with a Python to put in; one
        of this machine where empty.
    :param python: the command that starts Python in the base.
    :param tag: what production is called.
    :param user: who runs the app, ``user[:group]`` as numbers.
    :param port: where the app listens; 0 for what the app itself says.
    :param health: path that is asked whether the app is well; empty for no health check.
    :param labels: more labels.
    :param merge: add this platform to the image that is there, made of the same app.
    :param username: for the registry; without, Docker's own logins are read.
    :param token: a bearer token instead of a name and a password.
    :param api_url: where the registry's API is, if not at ``https://`` and its name.
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
