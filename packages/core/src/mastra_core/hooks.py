"""The hooks of deployers and plugins.

    from mastra_core.hooks import hookimpl

    @hookimpl
    def mastra_target() -> Target: ...

This module loads pluggy, so only the ``mastra`` command imports it, never an app. A deployer is a
module, or any other object, that implements ``DeployerSpec``. An entry point of the group
``mastra.deployers`` names the deployer. An ambient plugin implements only ``PluginSpec``. An entry
point of the group ``mastra.plugins`` names the plugin. All hooks are synchronous, because an async
hook would return a coroutine and so could not decline with ``None``. An implementation may leave
out parameters that it does not need.
"""

# mypy: disable-error-code="empty-body"
# A spec is a signature and a docstring. pluggy never calls it, so its body is empty.

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

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

__all__ = (
    "NAME",
    "DatedEnvStore",
    "DeployerSpec",
    "EnvEffect",
    "EnvStore",
    "PluginSpec",
    "hookimpl",
    "hookspec",
)

NAME = "mastra"
hookspec = pluggy.HookspecMarker(NAME)
hookimpl = pluggy.HookimplMarker(NAME)


EnvEffect: TypeAlias = Literal["now", "next-deploy"]
"""When a change of variables takes effect: at once, or with the next deploy."""


class EnvStore(Protocol):
    """The platform's store of environment variables for one app."""

    def list(self) -> Mapping[str, str]:
        """Return the stored variables without their values.

        :returns: the name of each variable, mapped to a short note about its stages.
        """

    def set(self, values: Mapping[str, Secret]) -> EnvEffect | None:
        """Create or replace variables.

        :param values: variable names, mapped to their values.
        :returns: when the running deployments get the values; ``None`` if unknown.
        """

    def unset(self, names: Iterable[str]) -> EnvEffect | None:
        """Remove variables.

        :param names: the variables to remove; a name that is not stored is ignored.
        :returns: when the running deployments lose the values; ``None`` if unknown.
        """


@runtime_checkable
class DatedEnvStore(EnvStore, Protocol):
    """A store that knows the time of its last change, for ``--skip-if-unchanged``."""

    def get_change_time(self) -> dt.datetime | None:
        """Return the time of the last change, with a time zone; ``None`` if unknown."""


class DeployerSpec:
    """The hooks of a deployer; ``mastra_target`` and ``mastra_bundle`` are required."""

    @hookspec(firstresult=True)
    def mastra_target(self) -> Target:
        """Describe the platform.

        This hook is called first, and often. The hook must not use the network or import heavy
        modules.
        """

    @hookspec(firstresult=True)
    def mastra_build(
        self, project: Project, target: Target, platform: Platform, directory: Path, report: Report
    ) -> Build | None:
        """Stage the app for one platform in the empty ``directory``.

        Mastra's own implementation is called last. A deployer implements this hook only for an
        unusual platform. An implementation may return ``None`` to use Mastra's implementation.

        :param project: the user's project.
        :param target: the platform, as ``mastra_target`` describes it.
        :param platform: the Python version and machine type for which wheels are staged.
        :param directory: the directory for the staged files.
        :param report: receives progress and notes.
        :returns: the build, or ``None`` to decline.
        :raises BuildError: when the project cannot be staged.
        """

    @hookspec
    def mastra_check(self, build: Build, settings: Any) -> Iterable[Problem]:
        """Find problems of the app or the settings on this platform, before bundling.

        The hook must not use the network.

        :param build: the staged app.
        :param settings: an instance of ``Target.settings``.
        :returns: the problems found; an ``error`` stops the pipeline.
        """

    @hookspec(firstresult=True)
    def mastra_bundle(self, build: Build, directory: Path, settings: Any, report: Report) -> Bundle:
        """Arrange the build's files in the empty ``directory`` as the platform expects.

        An implementation calls ``Bundle.seal`` last. The hook gets no credentials, so a bundle
        cannot contain any.

        :param build: the staged app.
        :param directory: the directory for the files of the bundle.
        :param settings: an instance of ``Target.settings``.
        :param report: receives progress and notes.
        :returns: the sealed bundle.
        :raises BundleError: when the app does not fit the platform.
        """

    @hookspec
    def mastra_inspect(self, bundle: Bundle, settings: Any) -> Iterable[Problem]:
        """Find problems of the finished bundle, such as its size or layout.

        The hook is called after bundling and for ``--prebuilt``, and must not use the network.

        :param bundle: the sealed bundle.
        :param settings: an instance of ``Target.settings``.
        :returns: the problems found; an ``error`` stops the pipeline.
        """

    @hookspec(firstresult=True)
    def mastra_verify(self, bundle: Bundle, settings: Any, report: Report) -> Iterable[Problem]:
        """Run the finished bundle on this machine, and find problems that only a run shows.

        Only ``mastra check`` calls this hook, because a run of the bundle may take long.

        :param bundle: the sealed bundle.
        :param settings: an instance of ``Target.settings``.
        :param report: receives progress and notes.
        :returns: the problems found; an ``error`` stops the command.
        """

    @hookspec(firstresult=True)
    def mastra_plan(
        self,
        bundle: Bundle,
        settings: Any,
        credentials: Mapping[str, Secret],
        request: DeployRequest,
    ) -> Plan:
        """Describe what ``mastra_deploy`` would do.

        The hook reads from the platform and changes nothing.

        :param bundle: the sealed bundle.
        :param settings: an instance of ``Target.settings``.
        :param credentials: the secrets that have a value, by their names in ``Target.credentials``.
        :param request: the options of the deploy.
        :returns: the plan.
        """

    @hookspec(firstresult=True)
    def mastra_deploy(
        self,
        bundle: Bundle,
        settings: Any,
        credentials: Mapping[str, Secret],
        request: DeployRequest,
        report: Report,
    ) -> Deployment:
        """Deploy the bundle.

        If this hook is interrupted, the app must be either unchanged or completely replaced, and
        the next deploy must not repeat finished uploads.

        :param bundle: the sealed bundle.
        :param settings: an instance of ``Target.settings``.
        :param credentials: the secrets that have a value, by their names in ``Target.credentials``.
        :param request: the options of the deploy.
        :param report: receives progress and notes.
        :returns: the new deployment.
        :raises DeployError: when the platform does not accept the bundle.
        """

    @hookspec(firstresult=True)
    def mastra_deployments(
        self, settings: Any, credentials: Mapping[str, Secret], limit: int
    ) -> list[Deployment]:
        """List the app's deployments, newest first.

        ``Deployment.live`` marks the deployments that serve traffic. If the app does not exist yet,
        return an empty list.

        :param settings: an instance of ``Target.settings``.
        :param credentials: the secrets that have a value, by their names in ``Target.credentials``.
        :param limit: the maximum number of deployments.
        :returns: the deployments, newest first.
        """

    @hookspec(firstresult=True)
    def mastra_promote(
        self,
        settings: Any,
        credentials: Mapping[str, Secret],
        id: str,
        report: Report,
        fingerprint: str,
    ) -> Deployment:
        """Send all production traffic to a deployment, without a new build.

        If the deployment is live already, the hook changes nothing.

        :param settings: an instance of ``Target.settings``.
        :param credentials: the secrets that have a value, by their names in ``Target.credentials``.
        :param id: the platform's id of the deployment.
        :param report: receives progress and notes.
        :param fingerprint: ``DeployRequest.fingerprint`` of the deploy to production that created
            the deployment. The hook stores the fingerprint on the platform, like ``mastra_deploy``.
            ``fingerprint`` is empty for a preview, or if it is unknown.
        :returns: the deployment that is live now.
        :raises DeployError: when there is no such deployment.
        """

    @hookspec(firstresult=True)
    def mastra_rollback(
        self, settings: Any, credentials: Mapping[str, Secret], id: str, report: Report
    ) -> Deployment:
        """Send all production traffic to an earlier deployment.

        :param settings: an instance of ``Target.settings``.
        :param credentials: the secrets that have a value, by their names in ``Target.credentials``.
        :param id: the platform's id of the deployment that gets the traffic. If the id is empty,
            the traffic goes to the previous live deployment, or during a canary to the live
            deployment.
        :param report: receives progress and notes.
        :returns: the deployment that is live now.
        :raises DeployError: when there is no earlier deployment.
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
        """Send a share of the production traffic to a deployment.

        :param settings: an instance of ``Target.settings``.
        :param credentials: the secrets that have a value, by their names in ``Target.credentials``.
        :param id: the platform's id of the deployment.
        :param percent: share of the traffic in percent; 0 ends the canary, 100 promotes the
            deployment.
        :param report: receives progress and notes.
        :returns: the deployment with its new share.
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
        """Return the app's log lines, oldest first.

        :param settings: an instance of ``Target.settings``.
        :param credentials: the secrets that have a value, by their names in ``Target.credentials``.
        :param id: the platform's id of a deployment; empty for the live one in production.
        :param since: the time of the oldest line, with a time zone; ``None`` for no bound.
        :param follow: whether to continue with new lines until the caller stops.
        :returns: the lines.
        """

    @hookspec(firstresult=True)
    def mastra_env(
        self, settings: Any, credentials: Mapping[str, Secret], environment: Stage
    ) -> EnvStore:
        """Return the store of the app's environment variables.

        :param settings: an instance of ``Target.settings``.
        :param credentials: the secrets that have a value, by their names in ``Target.credentials``.
        :param environment: ``preview`` or ``production``.
        :returns: the store.
        """

    @hookspec(firstresult=True)
    def mastra_doctor(self, settings: Any, credentials: Mapping[str, Secret]) -> Iterable[Problem]:
        """Check on the platform whether a deploy would succeed: token, scopes, names and quotas.

        The hook only reads, and is also called before every deploy, so that a wrong token is
        reported before the build. An ``error`` stops the deploy. An app that does not exist yet is
        no error.

        :param settings: an instance of ``Target.settings``.
        :param credentials: the secrets that have a value, by their names in ``Target.credentials``.
        :returns: the problems found.
        """

    @hookspec(firstresult=True)
    def mastra_destroy(
        self, settings: Any, credentials: Mapping[str, Secret], report: Report
    ) -> bool:
        """Remove the app and all its deployments.

        :param settings: an instance of ``Target.settings``.
        :param credentials: the secrets that have a value, by their names in ``Target.credentials``.
        :param report: receives progress and notes.
        :returns: whether there was an app to remove.
        """

    @hookspec(firstresult=True)
    def mastra_preview(
        self, bundle: Bundle, settings: Any, host: str, port: int, env: Mapping[str, Secret]
    ) -> int:
        """Run the bundle on this machine, as the platform would run it, until Ctrl-C.

        :param bundle: the sealed bundle.
        :param settings: an instance of ``Target.settings``.
        :param host: address to bind.
        :param port: port to bind.
        :param env: values of the app's variables, as the platform would set them.
        :returns: the exit code.
        """


class PluginSpec:
    """The hooks of an ambient plugin; such a plugin reports problems but never deploys."""

    @hookspec
    def mastra_check(self, build: Build, settings: Any) -> Iterable[Problem]:
        """Find problems of the app or the settings, before bundling.

        :param build: the staged app.
        :param settings: an instance of ``Target.settings``.
        :returns: the problems found; an ``error`` stops the pipeline.
        """

    @hookspec
    def mastra_inspect(self, bundle: Bundle, settings: Any) -> Iterable[Problem]:
        """Find problems of the finished bundle.

        :param bundle: the sealed bundle.
        :param settings: an instance of ``Target.settings``.
        :returns: the problems found; an ``error`` stops the pipeline.
        """

    @hookspec
    def mastra_deployed(self, deployment: Deployment) -> None:
        """Send a notification about a finished deployment, or record it.

        :param deployment: the new deployment.
        """

    @hookspec
    def mastra_stage_finished(self, stage: str, result: object) -> None:
        """Send a notification about a finished stage, or record it.

        :param stage: ``build``, ``bundle`` or ``deploy``.
        :param result: the ``Build``, ``Bundle`` or ``Deployment`` of the stage.
        """
