"""Call hooks of one deployer and the ambient plugins, with typed arguments and results."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, cast

from mastra_core.errors import BundleError, PluginError
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
from mastra_deployer.output.masking import add_masked_values
from mastra_deployer.plugins.guarded_env_store import GuardedEnvStore
from mastra_deployer.plugins.manager import load_deployer, load_plugins
from mastra_deployer.plugins.untyped_calls import UntypedHookCaller, call_plugin, check_item
from mastra_deployer.plugins.variable_size import refuse_large_variables
from mastra_deployer.trust.project_deployers import require_trusted_file

__all__ = ("HookCaller", "PlatformAccess")


class PlatformAccess(NamedTuple):
    """The arguments of all hooks that use the platform.

    :param settings: the deployer's settings.
    :param credentials: the target's credentials by name.
    """

    settings: Any
    credentials: Mapping[str, Secret]


class HookCaller(UntypedHookCaller):
    """Calls the hooks of one deployer and of all ambient plugins.

    :param deployer: an installed deployer's name, or a path from ``root``.
    :param root: the project's directory.
    :param check_file: called with each project file that defines a deployer; raises an error if
        mastra must not run the file.
    :raises ConfigError: when there is no such deployer.
    :raises ConsentError: for a deployer of the project that the user does not trust.
    :raises PluginError: when the deployer or a plugin cannot be loaded.
    """

    def __init__(
        self,
        deployer: str,
        root: Path,
        check_file: Callable[[Path], None] = require_trusted_file,
    ) -> None:
        self._deployer = load_deployer(deployer, root, check_file)
        self._plugins = load_plugins()
        self._name = deployer
        self.target = self._call_deployer("mastra_target", Target)

    @property
    def source_paths(self) -> tuple[Path, ...]:
        """The files and directories of the deployer's own source."""
        modules = [item for item in self._deployer.get_plugins() if isinstance(item, ModuleType)]
        return tuple(path for module in modules for path in _find_source_paths(module))

    def build(self, project: Project, platform: Platform, directory: Path, report: Report) -> Build:
        """Stage the app for one platform.

        :param project: the app.
        :param platform: the Python version and machine to build for.
        :param directory: an empty directory that receives the build.
        :param report: receives progress and notes.
        :raises PluginError: when the deployer's hook fails, or returns an object that is not a
            build.
        """
        build = self._call_deployer(
            "mastra_build",
            Build,
            project=project,
            target=self.target,
            platform=platform,
            directory=directory,
            report=report,
        )
        self._notify_stage_finished("build", build, report)
        return build

    def check(self, build: Build, settings: Any) -> list[Problem]:
        """Return the problems that the deployer and the plugins find before bundling.

        :param build: the staged app.
        :param settings: the deployer's settings, without secrets.
        """
        return self._collect_problems("mastra_check", build=build, settings=settings)

    def bundle(self, build: Build, directory: Path, settings: Any, report: Report) -> Bundle:
        """Create the target's bundle from a build.

        :param build: the staged app.
        :param directory: an empty directory that receives the bundle.
        :param settings: the deployer's settings, without secrets.
        :param report: receives progress and notes.
        :raises PluginError: when the deployer does not return a bundle that was sealed for the
            deployer's target.
        """
        bundle = self._call_deployer(
            "mastra_bundle",
            Bundle,
            build=build,
            directory=directory,
            settings=settings,
            report=report,
        )
        is_sealed = (directory / MANIFEST).is_file() and bundle.directory == directory
        if not is_sealed or bundle.manifest.target != self.target.name:
            raise PluginError(
                f"The deployer {self._name!r} did not seal its bundle.",
                "The hook mastra_bundle must end with Bundle.seal(build, directory, TARGET), where "
                "TARGET is the name of the deployer's target.",
            )
        self._notify_stage_finished("bundle", bundle, report)
        return bundle

    def notify_reused(self, bundle: Bundle, report: Report) -> None:
        """Notify the plugins that an existing bundle is reused.

        :param bundle: the reused bundle.
        :param report: receives a warning for each plugin that fails.
        """
        self._notify_stage_finished("bundle", bundle, report)

    def inspect(self, bundle: Bundle, settings: Any) -> list[Problem]:
        """Return the problems of a bundle: from the deployer, the plugins and the size limits.

        :param bundle: the finished bundle.
        :param settings: the deployer's settings, without secrets.
        """
        problems = self._collect_problems("mastra_inspect", bundle=bundle, settings=settings)
        return [*_check_size(bundle, self.target), *problems]

    def verify(self, bundle: Bundle, settings: Any, report: Report) -> list[Problem]:
        """Return the problems that the deployer finds by running a bundle on this machine.

        :param bundle: the finished bundle.
        :param settings: the deployer's settings, without secrets.
        :param report: receives progress and notes.
        :returns: the problems; none if the deployer does not run bundles.
        """
        if not self.has_hook("verify"):
            return []
        arguments = {"bundle": bundle, "settings": settings, "report": report}
        return self._call_for_list("mastra_verify", Problem, **arguments)

    def load_bundle(self, directory: Path) -> Bundle:
        """Load a bundle of this target from disk.

        :param directory: the bundle's directory.
        :raises BundleError: when the bundle was made for another target.
        """
        bundle = Bundle.load(directory)
        if bundle.manifest.target != self.target.name:
            raise BundleError(
                f"The bundle in {str(directory)!r} is for {bundle.manifest.target!r}, not for "
                f"{self.target.name!r}.",
                f"Make a bundle for this target: mastra bundle {self.target.name}.",
            )
        return bundle

    def plan(self, access: PlatformAccess, bundle: Bundle, request: DeployRequest) -> Plan:
        """Return the plan of a deploy.

        :param access: settings and credentials.
        :param bundle: the bundle to deploy.
        :param request: environment, variables and options of the deploy.
        """
        _mask_values(request.env)
        refuse_large_variables(self.target, request.env)
        return self._call_deployer(
            "mastra_plan", Plan, **access._asdict(), bundle=bundle, request=request
        )

    def deploy(
        self, access: PlatformAccess, bundle: Bundle, request: DeployRequest, report: Report
    ) -> Deployment:
        """Deploy the bundle, then notify the plugins.

        :param access: settings and credentials.
        :param bundle: the bundle to deploy.
        :param request: environment, variables and options of the deploy.
        :param report: receives progress and notes.
        """
        _mask_values(request.env)
        refuse_large_variables(self.target, request.env)
        arguments = {**access._asdict(), "bundle": bundle, "request": request, "report": report}
        deployment = self._call_deployer("mastra_deploy", Deployment, **arguments)
        self._notify_stage_finished("deploy", deployment, report)
        self._notify_plugins("mastra_deployed", report, deployment=deployment)
        return deployment

    def list_deployments(self, access: PlatformAccess, limit: int) -> list[Deployment]:
        """Return the app's deployments, newest first.

        :param access: settings and credentials.
        :param limit: the largest number of deployments to return.
        """
        arguments = {**access._asdict(), "limit": limit}
        return self._call_for_list("mastra_deployments", Deployment, **arguments)

    def promote(
        self, access: PlatformAccess, id: str, report: Report, fingerprint: str = ""
    ) -> Deployment:
        """Make a deployment live in production.

        :param access: settings and credentials.
        :param id: the deployment's id.
        :param report: receives progress and notes.
        :param fingerprint: the fingerprint of the production deploy that created the deployment;
            empty if unknown.
        """
        arguments = {**access._asdict(), "id": id, "report": report, "fingerprint": fingerprint}
        return self._call_deployer("mastra_promote", Deployment, **arguments)

    def rollback(self, access: PlatformAccess, id: str, report: Report) -> Deployment:
        """Make an earlier deployment live in production.

        :param access: settings and credentials.
        :param id: the deployment's id; empty for the deployment that was live before.
        :param report: receives progress and notes.
        """
        return self._call_deployer(
            "mastra_rollback", Deployment, **access._asdict(), id=id, report=report
        )

    def set_canary(
        self, access: PlatformAccess, id: str, percent: int, report: Report
    ) -> Deployment:
        """Send a share of production's traffic to a deployment.

        :param access: settings and credentials.
        :param id: the deployment's id.
        :param percent: the share of requests, 0 to 100.
        :param report: receives progress and notes.
        """
        arguments = {**access._asdict(), "id": id, "percent": percent, "report": report}
        return self._call_deployer("mastra_canary", Deployment, **arguments)

    def iter_logs(
        self, access: PlatformAccess, id: str, since: dt.datetime | None, *, follow: bool
    ) -> Iterator[LogLine]:
        """Yield the app's log lines.

        :param access: settings and credentials.
        :param id: the deployment's id; empty for the live deployment.
        :param since: the earliest time of a line; ``None`` for the platform's default.
        :param follow: whether to wait for new lines.
        :raises PluginError: when the hook fails, also while its lines are being read.
        """
        arguments = {**access._asdict(), "id": id, "since": since, "follow": follow}
        result = self._call_for_iterable("mastra_logs", **arguments)
        lines = call_plugin(self._name, "mastra_logs", lambda: iter(result))
        end = object()
        while True:
            line = call_plugin(self._name, "mastra_logs", lambda: next(lines, end))
            if line is end:
                return
            yield check_item(self._name, "mastra_logs", LogLine, line)

    def get_env_store(self, access: PlatformAccess, environment: Stage) -> GuardedEnvStore:
        """Return the platform's store of environment variables.

        :param access: settings and credentials.
        :param environment: ``production`` or ``preview``.
        """
        arguments = {**access._asdict(), "environment": environment}
        store = self._call_deployer("mastra_env", object, **arguments)
        return GuardedEnvStore(self._name, cast("EnvStore", store), self.target)

    def diagnose(self, access: PlatformAccess) -> list[Problem]:
        """Return the problems that would make a deploy fail; change nothing.

        :param access: settings and credentials.
        """
        return self._call_for_list("mastra_doctor", Problem, **access._asdict())

    def destroy(self, access: PlatformAccess, report: Report) -> bool:
        """Remove the app from the platform.

        :param access: settings and credentials.
        :param report: receives progress and notes.
        :returns: whether there was an app.
        """
        return self._call_deployer("mastra_destroy", bool, **access._asdict(), report=report)

    def preview(
        self, bundle: Bundle, settings: Any, host: str, port: int, env: Mapping[str, Secret]
    ) -> int:
        """Run the bundle on this machine, as the platform would run it, until Ctrl-C.

        :param bundle: the bundle to run.
        :param settings: the deployer's settings, without secrets.
        :param host: the address to listen on.
        :param port: the port to listen on.
        :param env: the app's environment variables.
        :returns: the exit code.
        """
        arguments = {"bundle": bundle, "settings": settings, "host": host, "port": port, "env": env}
        return self._call_deployer("mastra_preview", int, **arguments)


def _mask_values(values: Mapping[str, Secret]) -> None:
    """Mask the values of the app's variables in all output, because errors may contain them."""
    add_masked_values(value.reveal() for value in values.values())


def _find_source_paths(module: ModuleType) -> list[Path]:
    """Return the files and directories with a deployer's code."""
    package = sys.modules.get(module.__name__.partition(".")[0], module)
    paths = [Path(path) for path in getattr(package, "__path__", ())]
    if paths or not module.__file__:
        return paths
    # A deployer that is one file may import modules and packages from its own directory. This may
    # be the directory of the project, whose other files do not belong to the deployer.
    directory = Path(module.__file__).parent
    packages = (path.parent for path in directory.glob("*/__init__.py"))
    return [*sorted(directory.glob("*.py")), *sorted(packages)]


def _check_size(bundle: Bundle, target: Target) -> list[Problem]:
    sizes, limits = bundle.manifest.sizes, target.limits
    total = sum(sizes.values())
    if (total <= limits.size or not limits.size) and not limits.compressed:
        return []  # the import below would load the whole kit
    from mastra_deployer.kit import check_compressed_size, check_size

    problems = (
        check_size(sizes, limits.size, target.name),
        check_compressed_size(bundle.directory, sizes, limits.compressed, target.name),
    )
    return [problem for problem in problems if problem]
