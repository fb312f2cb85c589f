"""Acme as the conformance suite wants it: nothing is started, and it misbehaves when told to."""

from __future__ import annotations

import shutil
from pathlib import Path

from acme_platform import Acme
from acme_store import App, Store

from mastra_core.pipeline import Stage
from mastra_deployer.testing import Live

__all__ = ("AcmeFake",)


class AcmeFake(Acme):
    """The real platform without its machines."""

    def __init__(self, store: Path, token: str = "acme-token-of-the-suite") -> None:  # noqa: S107  # it opens nothing
        super().__init__(store, token, processes=False)

    def settings(self) -> dict[str, str]:
        return {"app": "shop"}

    def live(self, environment: Stage) -> Live | None:
        seen = self._app.seen(environment) if self._app else None
        if self._app is None or seen is None:
            return None
        files = self.kept.files(self._app, seen.deployment)
        content = {path: file.read_bytes() for path, file in files.items()}
        return Live(id=seen.deployment, files=content, env=seen.env)

    def things(self) -> list[str]:
        apps = self.kept.apps.values()
        return [*(app.id for app in apps), *(name for app in apps for name in app.deployments)]

    def reset(self) -> None:
        self.heal()
        shutil.rmtree(self.store)
        self.kept = Store(self.store, survives=False)

    def heal(self) -> None:
        self.refusing, self.failing, self.hanging = "", "", False

    def refuse(self, words: str) -> None:
        self.refusing = words

    def fail(self, words: str) -> None:
        self.failing = words

    def hang(self) -> None:
        self.hanging = True

    def traffic(self) -> dict[str, int]:
        app = self._app
        seen = app.seen("production") if app else None
        if app is None or seen is None:
            return {}
        return {seen.deployment: 100 - sum(app.canary.values()), **app.canary}

    def say(self, text: str) -> None:
        if self._app:
            self._app.said.append(text)

    @property
    def _app(self) -> App | None:
        return next(iter(self.kept.apps.values()), None)
