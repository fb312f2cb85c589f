"""Image references: ``registry.example/team/app:tag@sha256:...``."""

from __future__ import annotations

import dataclasses
import re

from mastra_core.errors import ConfigError

__all__ = ("DIGEST", "DOCKER_HUB", "TAG", "Reference")

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
DOCKER_HUB = "docker.io"
TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")

_REPOSITORY = re.compile(
    r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*"
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reference:
    """A parsed image reference.

    :param registry: host of the registry, with its port where one was given.
    :param repository: path of the repository in the registry.
    :param tag: the tag; empty if none was given.
    :param digest: ``sha256:...``; empty if none was given.
    """

    registry: str
    repository: str
    tag: str = ""
    digest: str = ""

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Parse an image reference; without a registry, it refers to Docker Hub.

        :param text: the reference, ``registry.example/team/app:tag``.
        :returns: the parsed reference.
        :raises ConfigError: when the text is not a valid reference.
        """
        rest, _, digest = text.partition("@")
        registry, _, path = rest.partition("/")
        if not path or not ("." in registry or ":" in registry or registry == "localhost"):
            registry, path = DOCKER_HUB, rest
        path, _, tag = path.partition(":")
        if registry in (DOCKER_HUB, "index.docker.io"):
            registry = DOCKER_HUB
            path = path if "/" in path else f"library/{path}"
        is_valid = (
            _REPOSITORY.fullmatch(path)
            and (not tag or TAG.fullmatch(tag))
            and (not digest or DIGEST.fullmatch(digest))
            and re.fullmatch(r"(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+)(:\d+)?", registry)
        )
        if not is_valid or rest.endswith(":"):
            raise ConfigError(
                f"{text!r} is not a valid image reference.",
                "Write a reference like registry.example/team/app, in lower-case letters.",
            )
        return cls(registry=registry, repository=path, tag=tag, digest=digest)

    @property
    def name(self) -> str:
        """The registry and the repository, without tag and digest."""
        return f"{self.registry}/{self.repository}"

    @property
    def pointer(self) -> str:
        """The identifier of a manifest: the digest, or else the tag, or else ``latest``."""
        return self.digest or self.tag or "latest"

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.name}{tag}" + (f"@{self.digest}" if self.digest else "")
