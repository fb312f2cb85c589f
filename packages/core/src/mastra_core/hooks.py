"""The hooks a deployer or a plugin implements. Tool side only: this loads pluggy.

    from mastra_core.hooks import hookimpl

    @hookimpl
    def mastra_target() -> Target: ...

A deployer is a module (or any object) named by an entry point of the group
``mastra.deployers``; it implements ``DeployerSpec``. An ambient plugin is named in the group
``mastra.plugins``; it implements ``PluginSpec`` and nothing else. All hooks are synchronous: a
coroutine is never ``None``, so an async hook could not decline. An implementation names only
the arguments it needs.
"""

# mypy: disable-error-code="empty-body"
# A spec is a signature and a docstring; pluggy never calls it.

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import pluggy

from mastra_core.pipeline import (
    Build,
    Bundle,
    Deployment,
    DeployRequest,
    LogLine,
    Plan,
    Platform,
    Problem,
    Project,
    Report,
    Stage,
    Target,
)
from mastra_core.secret import Secret

__all__ = ("NAME", "DeployerSpec", "EnvStore", "PluginSpec", "hookimpl", "hookspec")

NAME = "mastra"
hookspec = pluggy.HookspecMarker(NAME)
hookimpl = pluggy.HookimplMarker(NAME)


class EnvStore(Protocol):
    """The platform's store of environment variables for one app."""

    def list(self) -> Mapping[str, str]:
        """Name to a word on where it applies; never the values."""

    def set(self, values: Mapping[str, Secret]) -> None:
        """Create or replace."""

    def unset(self, names: Iterable[str]) -> None:
        """Remove; a name that is not there is fine."""


class DeployerSpec:
    """What a deployer may implement. ``mastra_target`` and ``mastra_bundle`` it must."""

    @hookspec(firstresult=True)
    def mastra_target(self) -> Target:
        """Describe the platform. Called often and first: no network, no heavy imports."""

    @hookspec(firstresult=True)
    def mastra_build(
        self, project: Project, target: Target, platform: Platform, directory: Path, report: Report
    ) -> Build | None:
        """Stage the app for one platform in the empty ``directory``.

        Mastra's own implementation answers last; a deployer implements it only where the
        platform is truly different, and may return ``None`` to leave it alone.
        """

    @hookspec
    def mastra_check(self, build: Build, settings: Any) -> Iterable[Problem]:
        """Before bundling: what of the app or the settings will not work there. Offline."""

    @hookspec(firstresult=True)
    def mastra_bundle(self, build: Build, directory: Path, settings: Any, report: Report) -> Bundle:
        """Arrange the build's files in the empty ``directory`` as the platform wants them.

        Ends with ``Bundle.seal``. It is given no credentials, so a bundle cannot leak any.
        """

    @hookspec
    def mastra_inspect(self, bundle: Bundle, settings: Any) -> Iterable[Problem]:
        """After bundling, and for ``--prebuilt``: size, layout. Offline."""

    @hookspec(firstresult=True)
    def mastra_plan(
        self,
        bundle: Bundle,
        settings: Any,
        credentials: Mapping[str, Secret],
        request: DeployRequest,
    ) -> Plan:
        """Say what ``mastra_deploy`` would do; reads the platform, changes nothing."""

    @hookspec(firstresult=True)
    def mastra_deploy(
        self,
        bundle: Bundle,
        settings: Any,
        credentials: Mapping[str, Secret],
        request: DeployRequest,
        report: Report,
    ) -> Deployment:
        """Put the bundle on the platform.

        Interrupted anywhere it leaves nothing live, or all of it; run again it sends nothing
        twice.

        :param credentials: exactly the names of ``Target.credentials`` that have a value.
        """

    @hookspec(firstresult=True)
    def mastra_deployments(
        self, settings: Any, credentials: Mapping[str, Secret], limit: int
    ) -> list[Deployment]:
        """The app's deployments, newest first; ``live`` tells which are.

        An app that is not there yet has none: an empty list, no error.
        """

    @hookspec(firstresult=True)
    def mastra_promote(
        self, settings: Any, credentials: Mapping[str, Secret], id: str, report: Report
    ) -> Deployment:
        """Make a deployment the live one in production, whole, without building it again.

        Promoting what is live already changes nothing.

        :raises DeployError: when there is no such deployment.
        """

    @hookspec(firstresult=True)
    def mastra_rollback(
        self, settings: Any, credentials: Mapping[str, Secret], id: str, report: Report
    ) -> Deployment:
        """Make an earlier deployment the live one in production.

        :param id: empty for the one that was live before the present one.
        :raises DeployError: when there is none to go back to.
        """

    @hookspec(firstresult=True)
    def mastra_canary(
        self,
        settings: Any,
        credentials: Mapping[str, Secret],
        id: str,
        percent: int,
        report: Report,
    ) -> Deployment:
        """Send a share of production's traffic to a deployment.

        :param percent: 0 gives it none again, 100 makes it the live one.
        """

    @hookspec(firstresult=True)
    def mastra_logs(
        self,
        settings: Any,
        credentials: Mapping[str, Secret],
        id: str,
        since: dt.datetime | None,
        follow: bool,
    ) -> Iterator[LogLine]:
        """The app's log lines, oldest first.

        :param id: a deployment; empty for the live one in production.
        :param since: nothing older; with a time zone.
        :param follow: go on until the caller stops.
        """

    @hookspec(firstresult=True)
    def mastra_env(
        self, settings: Any, credentials: Mapping[str, Secret], environment: Stage
    ) -> EnvStore:
        """The store of the app's environment variables."""

    @hookspec(firstresult=True)
    def mastra_doctor(self, settings: Any, credentials: Mapping[str, Secret]) -> Iterable[Problem]:
        """Ask the platform whether a deploy would work: token, scopes, names, quotas.

        Reads only. Asked before every deploy too, so that a wrong token is known before the
        build: an ``error`` stops it. An app that does not exist yet is no error.
        """

    @hookspec(firstresult=True)
    def mastra_destroy(
        self, settings: Any, credentials: Mapping[str, Secret], report: Report
    ) -> bool:
        """Remove the app with all its deployments.

        :returns: whether there was one.
        """

    @hookspec(firstresult=True)
    def mastra_preview(
        self, bundle: Bundle, settings: Any, host: str, port: int, env: Mapping[str, Secret]
    ) -> int:
        """Run the bundle here the way the platform would, until interrupted; the exit code.

        :param env: values of the app's variables, as the platform would set them.
        """


class PluginSpec:
    """What an ambient plugin may implement: it watches and objects, it never deploys."""

    @hookspec
    def mastra_check(self, build: Build, settings: Any) -> Iterable[Problem]:
        """Before bundling: object to something in the app or the settings."""

    @hookspec
    def mastra_inspect(self, bundle: Bundle, settings: Any) -> Iterable[Problem]:
        """After bundling: object to something in the bundle."""

    @hookspec
    def mastra_deployed(self, deployment: Deployment) -> None:
        """A deployment is done: notify, record."""

    @hookspec
    def mastra_stage_finished(self, stage: str, result: object) -> None:
        """A stage (``build``, ``bundle``, ``deploy``) is done."""
