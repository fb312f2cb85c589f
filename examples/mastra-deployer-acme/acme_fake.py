"""Acme for the conformance suite: it starts no processes, and has faults on demand."""

from __future__ import annotations

import shutil
from pathlib import Path

from acme_platform import Acme
from acme_store import App, Store

from mastra_core.pipeline import Stage
from mastra_deployer.testing import Live

__all__ = ("AcmeFake",)


class AcmeFake(Acme):
    """The platform without processes."""

    def __init__(self, directory: Path, token: str = "acme-token-of-the-suite") -> None:  # noqa: S107  # a token of the tests
        super().__init__(directory, token, processes=False)

    def get_settings(self) -> dict[str, str]:
        return {"app": "shop"}

    def get_live(self, environment: Stage) -> Live | None:
        release = self._app.get_live(environment) if self._app else None
        if self._app is None or release is None:
            return None
        files = self.store.get_files(self._app, release.deployment)
        content = {path: file.read_bytes() for path, file in files.items()}
        return Live(id=release.deployment, files=content, env=release.env)

    def list_resources(self) -> list[str]:
        apps = self.store.apps.values()
        return [*(app.id for app in apps), *(name for app in apps for name in app.deployments)]

    def reset(self) -> None:
        self.clear_faults()
        shutil.rmtree(self.directory)
        self.store = Store(self.directory, persistent=False)

    def clear_faults(self) -> None:
        self.rejection, self.failure, self.hangs = "", "", False

    def reject_changes(self, message: str) -> None:
        self.rejection = message

    def fail_deployments(self, message: str) -> None:
        self.failure = message

    def hang_deployments(self) -> None:
        self.hangs = True

    def get_traffic(self) -> dict[str, int]:
        app = self._app
        live = app.get_live("production") if app else None
        if app is None or live is None:
            return {}
        return {live.deployment: 100 - sum(app.canary.values()), **app.canary}

    def write_log(self, text: str) -> None:
        if self._app:
            self._app.write_log(text)

    @property
    def _app(self) -> App | None:
        return next(iter(self.store.apps.values()), None)
