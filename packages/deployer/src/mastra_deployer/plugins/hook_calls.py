"""The line, typed: the one place that calls hooks."""

from __future__ import annotations

import contextlib
import datetime as dt
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, TypeVar, cast

import pluggy

from mastra_core.errors import BundleError, ConfigError, MastraError, PluginError
from mastra_core.hooks import EnvStore
from mastra_core.pipeline import (
    MANIFEST,
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
from mastra_deployer.bundler import stage
from mastra_deployer.plugins.manager import implemented, load_deployer, load_plugins

__all__ = ("Access", "Line")

T = TypeVar("T")


class Access(NamedTuple):
    """What every hook that talks to the platform is given."""

    settings: Any
    credentials: Mapping[str, Secret]


class Line:
    """One deployer and all ambient plugins, behind typed methods.

    :param deployer: an installed deployer's name, or a path from ``root``.
    """

    def __init__(self, deployer: str, root: Path) -> None:
        self._deployer: pluggy.PluginManager = load_deployer(deployer, root, stage)
        self._plugins: pluggy.PluginManager = load_plugins()
        self._name = deployer
        self.target: Target = self._one("mastra_target", Target)

    def can(self, verb: str) -> bool:
        """Whether the deployer has the hook of a verb (``deploy``)."""
        return implemented(self._deployer).get(f"mastra_{verb}", False)

    def require(self, verb: str) -> None:
        """Fail early where the deployer has no hook of that verb.

        :raises ConfigError: naming the target and the verb.
        """
        if not self.can(verb):
            raise ConfigError(
                f"The target {self.target.name!r} has no {verb!r}.",
                "`mastra targets` shows what each can do.",
            )

    @property
    def code(self) -> tuple[Path, ...]:
        """Where the deployer's own code lies: the package it is in, or the file."""
        modules = [item for item in self._deployer.get_plugins() if isinstance(item, ModuleType)]
        return tuple(place for module in modules for place in _places(module))

    def build(self, project: Project, platform: Platform, directory: Path, report: Report) -> Build:
        """Stage the app for one platform in ``directory``."""
        build = self._one(
            "mastra_build",
            Build,
            project=project,
            target=self.target,
            platform=platform,
            directory=directory,
            report=report,
        )
        self._finished("build", build, report)
        return build

    def check(self, build: Build, settings: Any) -> list[Problem]:
        """What the deployer and the plugins object to before bundling."""
        return self._problems("mastra_check", build=build, settings=settings)

    def bundle(self, build: Build, directory: Path, settings: Any, report: Report) -> Bundle:
        """Arrange the build for the target in ``directory``."""
        made = self._one(
            "mastra_bundle",
            Bundle,
            build=build,
            directory=directory,
            settings=settings,
            report=report,
        )
        sealed = (directory / MANIFEST).is_file() and made.directory == directory
        if not sealed or made.manifest.target != self.target.name:
            raise PluginError(
                f"The deployer {self._name!r} did not seal its bundle.",
                "It must end mastra_bundle with Bundle.seal(build, directory, its target's name).",
            )
        self._finished("bundle", made, report)
        return made

    def reused(self, bundle: Bundle, report: Report) -> None:
        """Tell the plugins of a bundle that stands already as it would be made."""
        self._finished("bundle", bundle, report)

    def inspect(self, bundle: Bundle, settings: Any) -> list[Problem]:
        """What the deployer, the plugins and the target's limits object to in a bundle."""
        found = self._problems("mastra_inspect", bundle=bundle, settings=settings)
        return [*_oversize(bundle, self.target), *found]

    def load(self, directory: Path) -> Bundle:
        """A bundle from disk that was made for this target.

        :raises BundleError: when it was made for another.
        """
        bundle = Bundle.load(directory)
        if bundle.manifest.target != self.target.name:
            raise BundleError(
                f"The bundle in {str(directory)!r} is for {bundle.manifest.target!r}, not for "
                f"{self.target.name!r}.",
                f"Bundle for it: mastra bundle {self.target.name}.",
            )
        return bundle

    def plan(self, access: Access, bundle: Bundle, request: DeployRequest) -> Plan:
        """What a deploy would do."""
        return self._one("mastra_plan", Plan, **access._asdict(), bundle=bundle, request=request)

    def deploy(
        self, access: Access, bundle: Bundle, request: DeployRequest, report: Report
    ) -> Deployment:
        """Put the bundle on the platform and tell the plugins."""
        given = {**access._asdict(), "bundle": bundle, "request": request, "report": report}
        deployment = self._one("mastra_deploy", Deployment, **given)
        self._finished("deploy", deployment, report)
        self._tell("mastra_deployed", report, deployment=deployment)
        return deployment

    def deployments(self, access: Access, limit: int) -> list[Deployment]:
        """The app's deployments, newest first."""
        return self._one("mastra_deployments", list, **access._asdict(), limit=limit)

    def promote(self, access: Access, id: str, report: Report) -> Deployment:
        """Make a deployment the live one."""
        return self._one("mastra_promote", Deployment, **access._asdict(), id=id, report=report)

    def rollback(self, access: Access, id: str, report: Report) -> Deployment:
        """Make an earlier deployment live; the one before the present where ``id`` is empty."""
        return self._one("mastra_rollback", Deployment, **access._asdict(), id=id, report=report)

    def canary(self, access: Access, id: str, percent: int, report: Report) -> Deployment:
        """Send a share of production's traffic to a deployment."""
        given = {**access._asdict(), "id": id, "percent": percent, "report": report}
        return self._one("mastra_canary", Deployment, **given)

    def logs(
        self, access: Access, id: str, since: dt.datetime | None, *, follow: bool
    ) -> Iterator[LogLine]:
        """The app's log; what breaks while it is read is told like what breaks in a hook."""
        given = {**access._asdict(), "id": id, "since": since, "follow": follow}
        told = self._many("mastra_logs", **given)
        lines = _guarded(self._name, "mastra_logs", lambda: iter(told))
        while (line := _guarded(self._name, "mastra_logs", lambda: next(lines, None))) is not None:
            yield line

    def env(self, access: Access, environment: Stage) -> EnvStore:
        """The platform's store of variables."""
        given = {**access._asdict(), "environment": environment}
        return self._one("mastra_env", object, **given)  # type: ignore[return-value]  # a protocol

    def doctor(self, access: Access) -> list[Problem]:
        """What the platform objects to before anything is sent to it."""
        told = self._many("mastra_doctor", **access._asdict())
        found: list[Problem] = _guarded(self._name, "mastra_doctor", lambda: list(told))
        return found

    def destroy(self, access: Access, report: Report) -> bool:
        """Remove the app; whether there was one."""
        return self._one("mastra_destroy", bool, **access._asdict(), report=report)

    def preview(
        self, bundle: Bundle, settings: Any, host: str, port: int, env: Mapping[str, Secret]
    ) -> int:
        """Run the bundle here as the platform would, until interrupted; its exit code."""
        given = {"bundle": bundle, "settings": settings, "host": host, "port": port, "env": env}
        return self._one("mastra_preview", int, **given)

    def _one(self, hook: str, kind: type[T], **arguments: Any) -> T:
        if hook != "mastra_build":
            self.require(hook.removeprefix("mastra_"))
        result = self._called(self._deployer, hook, **arguments)
        if result is None or not isinstance(result, kind):
            raise PluginError(
                f"The deployer {self._name!r} answered {hook} with {type(result).__name__}.",
                f"It must return a {kind.__name__}; see docs/hooks.md.",
            )
        return result

    def _many(self, hook: str, **arguments: Any) -> Iterable[Any]:
        """An iterable that may still ask the platform while it is read."""
        return cast("Iterable[Any]", self._one(hook, object, **arguments))

    def _problems(self, hook: str, **arguments: Any) -> list[Problem]:
        answers = [
            *self._called(self._deployer, hook, **arguments),
            *self._called(self._plugins, hook, **arguments),
        ]
        return [problem for answer in answers if answer is not None for problem in answer]

    def _finished(self, stage: str, result: object, report: Report) -> None:
        self._tell("mastra_stage_finished", report, stage=stage, result=result)

    def _tell(self, hook: str, report: Report, **arguments: Any) -> None:
        """Call a listener; what is done is done, so its failure is told and nothing more."""
        try:
            self._called(self._plugins, hook, **arguments)
        except Exception as error:  # noqa: BLE001  # a listener may raise anything
            report.note(f"{hook} of an ambient plugin failed: {error}", "What it was told stands.")

    def _called(self, manager: pluggy.PluginManager, hook: str, **arguments: Any) -> Any:
        owner = self._name if manager is self._deployer else "an ambient plugin"
        return _guarded(owner, hook, lambda: getattr(manager.hook, hook)(**arguments))


def _guarded(owner: str, hook: str, call: Callable[[], Any]) -> Any:
    """What a plugin raises beside our errors is the plugin's defect."""
    try:
        with contextlib.redirect_stdout(sys.stderr):  # stdout is for the command's answer
            return call()
    except (MastraError, OSError):  # a full disk is nobody's defect
        raise
    except Exception as error:
        raise PluginError(
            f"{hook} of {owner} failed: {type(error).__name__}: {error}.",
            "Report it to its author; `mastra -v` shows the traceback.",
        ) from error


def _places(module: ModuleType) -> list[Path]:
    top = sys.modules.get(module.__name__.partition(".")[0], module)
    found = [Path(path) for path in getattr(top, "__path__", ())]
    if found or not module.__file__:
        return found
    # A private deployer may import what lies beside it.
    return [Path(module.__file__).parent]


def _oversize(bundle: Bundle, target: Target) -> list[Problem]:
    sizes, limit = bundle.manifest.sizes, target.limits.size
    if sum(sizes.values()) <= limit or not limit:
        return []  # all of the kit would come with the import below
    from mastra_deployer.kit import size_problem

    problem = size_problem(sizes, limit, target.name)
    return [problem] if problem else []
