"""Fixtures and switches of the acceptance suite."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import httpx
import pytest

from mastra_deployer.testing.acceptance.app_process import preview_app, serve_build, write_app

__all__ = ("KEY", "AppFixtures")

KEY = "acceptance-key-4711"
_SECONDS = 30  # in which a response must arrive


class AppFixtures:
    """Fixtures and switches, which authors override for their platform.

    :cvar target: the target that ``mastra preview`` runs. For the default, ``server``, the suite
        runs ``mastra build`` and ``python .mastra/index.py``.
    :cvar options: further options of the command: ``("-s", "app=shop", "--python", "3.12")``.
    :cvar body_limit: the largest body of a request in bytes, on the platform or of the server.
    :cvar shared_memory: all requests reach one process, so that runs in memory can be resumed.
        Without shared memory, the example application has no workflow that suspends its runs.
    :cvar streams: each chunk of a response arrives at once. If a platform sends each response as a
        whole, tests of the arrival times of chunks are skipped.
    :cvar reports_disconnects: the app learns that a client has left.
    :cvar requires_npm_client: without Node or the npm registry, tests fail and are not skipped.
    :cvar variables: environment variables that the app needs.
    """

    target: ClassVar[str] = "server"
    options: ClassVar[Sequence[str]] = ()
    body_limit: ClassVar[int] = 4_718_592
    shared_memory: ClassVar[bool] = True
    streams: ClassVar[bool] = True
    reports_disconnects: ClassVar[bool] = True
    requires_npm_client: ClassVar[bool] = False
    variables: ClassVar[Mapping[str, str]] = {
        "ACCEPTANCE_KEY": KEY,
        "ACCEPTANCE_GREETING": "hullo",
    }

    @pytest.fixture(scope="class")
    @classmethod
    def app_project(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """Return a project with the example application."""
        root = tmp_path_factory.mktemp("acceptance") / "app"
        return write_app(root, suspends=cls.shared_memory)

    @pytest.fixture(scope="class")
    @classmethod
    def app_url(cls, app_project: Path) -> Iterator[str]:
        """Yield the address of the running application; override it for another kind of preview."""
        if cls.target == "server":
            with serve_build(app_project, cls.options, cls.variables) as url:
                yield url
        else:
            with preview_app(app_project, cls.target, cls.options, cls.variables) as url:
                yield url

    @pytest.fixture(scope="class")
    @classmethod
    def app_client(cls, app_url: str) -> Iterator[httpx.Client]:
        """Yield an HTTP client that sends the API key."""
        headers = {"authorization": f"Bearer {KEY}"}
        with httpx.Client(
            base_url=app_url, headers=headers, timeout=_SECONDS, trust_env=False
        ) as client:
            yield client

    def require_shared_memory(self) -> None:
        """Skip the test if requests may reach different processes."""
        if not self.shared_memory:
            pytest.skip(f"{type(self).__name__} says shared_memory = False")

    def require_streams(self) -> None:
        """Skip the test if the platform sends each response as a whole, and not in chunks."""
        if not self.streams:
            pytest.skip(f"{type(self).__name__} says streams = False")
