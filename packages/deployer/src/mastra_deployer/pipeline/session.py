"""Hold the data about one project and target that all commands need, and make the bundle."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mastra_core.errors import BuildError, ConfigError, MastraError
from mastra_core.pipeline import (
    Build,
    Bundle,
    Environment,
    Platform,
    Problem,
    Project,
    Report,
    Target,
)
from mastra_core.secret import Secret
from mastra_deployer.checks.env_files import check_env_files
from mastra_deployer.files.atomic_replace import (
    choose_temporary_parent,
    repair_directory,
    replace_directory,
)
from mastra_deployer.files.build_lock import hold_build_lock
from mastra_deployer.files.directories import (
    OUTPUT_DIRECTORY,
    convert_project_errors,
    ensure_local_directory,
    get_vendor_reuse_directory,
)
from mastra_deployer.files.path_encoding import require_utf8
from mastra_deployer.files.refuse_links import refuse_links
from mastra_deployer.files.temporary import temporary_directory
from mastra_deployer.files.written_files import keep_written_files
from mastra_deployer.output.masking import add_masked_values
from mastra_deployer.output.retry_notice import set_retry_report
from mastra_deployer.pipeline import build_hook
from mastra_deployer.pipeline.choose_platform import apply_index_setting, choose_platform
from mastra_deployer.pipeline.choose_preview_platform import choose_preview_platform
from mastra_deployer.pipeline.report_problems import raise_for_errors
from mastra_deployer.pipeline.targets import TargetChoice
from mastra_deployer.plugins.hook_calls import HookCaller, PlatformAccess
from mastra_deployer.project.config import get_project_name, read_pyproject
from mastra_deployer.project.deployer_argument import EnvReference
from mastra_deployer.project.discovery import get_config
from mastra_deployer.project.environment import (
    list_file_variables,
    read_environment,
    read_user_environment,
)
from mastra_deployer.project.settings import (
    collect_credentials,
    find_plaintext_secrets,
    get_variables,
    list_project_values,
    merge_settings,
    remove_secrets,
)
from mastra_deployer.trust.host_policy import HostPolicy, set_host_policy
from mastra_deployer.trust.project_deployers import require_trusted_file

__all__ = ("Session", "open_session")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Session:
    """A project, a target, and all values that its commands need.

    :param project: the app.
    :param choice: the target as the user named it.
    :param hooks: calls the target's deployer and the ambient plugins.
    :param settings: the deployer's merged settings.
    :param environ: every known environment variable, from the environment and ``.env`` files.
    :param report: receives progress and notes.
    :param host_policy: decides which hosts may receive credentials.
    :param file_variables: names in ``.env`` and ``--env-file`` that the deployer does not read.
    :param python: ``--python``: a version, or the path of an interpreter.
    :param wheels: ``--platform``, in uv's notation.
    :param notes: whether problems of the severity ``note`` are also shown.
    :param strict: whether warnings are only collected, because ``mastra check`` shows all warnings
        at its end.
    :param problems: every problem found so far.
    """

    project: Project
    choice: TargetChoice
    hooks: HookCaller
    settings: Any
    environ: Mapping[str, str]
    report: Report
    host_policy: HostPolicy
    file_variables: frozenset[str] = frozenset()
    python: str = ""
    wheels: str = ""
    notes: bool = False
    strict: bool = False
    problems: list[Problem] = dataclasses.field(default_factory=list)

    @property
    def access(self) -> PlatformAccess:
        """The settings and the credentials, for hooks that use the platform.

        :raises ConsentError: when a setting of the project is an address whose host the user does
            not trust.
        """
        self.host_policy.check_addresses()
        target = self.hooks.target
        return PlatformAccess(
            self.settings, collect_credentials(target.credentials, self.settings, self.environ)
        )

    @property
    def output(self) -> Path:
        """The directory of this target's bundle.

        :raises ConfigError: for a target whose name is a path to another directory.
        """
        if self.hooks.target.name == "server":
            return self.project.root / OUTPUT_DIRECTORY
        name = Path(os.path.normpath(self.choice.name))
        if name.is_absolute() or name.parts[:1] in ((), ("..",)):
            raise ConfigError(
                f"With the name {self.choice.name!r}, the files of the target would be outside of "
                "'.mastra-local'.",
                "Rename the target. Use letters, digits, '-' and '_'.",
            )
        return self.project.local_directory / "bundles" / name

    def bundle(self, output: Path | None = None, *, reuse: bool = True) -> Bundle:
        """Build, check, bundle and inspect the app, and replace the output with the result.

        :param output: the bundle's directory; ``None`` for this target's default.
        :param reuse: whether to return the bundle in ``output`` if it is unchanged, and to let the
            next build do the same with the new bundle.
        :raises MastraError: at the first error; the output is then unchanged.
        """
        platforms = self.hooks.target.platforms
        platform = choose_platform(self.project, platforms, self.python, self.wheels)
        return self._bundle(platform, (output or self.output).absolute(), reuse=reuse)

    def bundle_preview(self) -> Bundle:
        """Make the bundle that a preview on this machine runs.

        If the bundle of a deploy runs on this machine, the preview uses this bundle. Otherwise
        a bundle for this machine is made in another directory, if the target allows it.

        :raises ConfigError: before anything is built, when no bundle for the target runs here.
        :raises MastraError: at the first error, as in ``bundle``.
        """
        choice = choose_preview_platform(
            self.project, self.hooks.target, self.python, self.wheels, self.report
        )
        output = self.output
        if choice.is_local:
            output = self.project.local_directory / "previews" / output.name
        return self._bundle(choice.platform, output.absolute(), reuse=True)

    def _bundle(self, platform: Platform, destination: Path, *, reuse: bool) -> Bundle:
        platform = apply_index_setting(platform, self.hooks.target, self.settings)
        require_utf8(self.project.root, "the project", "Rename the directory, or move the project.")
        refuse_links(self.project.root, destination)
        self.report_file_variables(self.project.environment)
        # The bundler is loaded on use: most commands build nothing.
        from mastra_deployer.bundler.sources.module_code import share_parsed_modules

        with hold_build_lock(self.project, self.report), share_parsed_modules():
            repair_directory(destination)
            facts = self._hash_inputs(platform) if reuse else ""
            with convert_project_errors(self.project.root):
                return self._reuse(destination, platform, facts) or self._build_and_bundle(
                    destination, platform, facts
                )

    def _hash_inputs(self, platform: Platform) -> str:
        if self.hooks.has_hook("build"):  # the inputs of a deployer's own build are unknown
            return ""
        from mastra_deployer.pipeline.up_to_date import hash_build_inputs

        settings = remove_secrets(self.settings)
        return hash_build_inputs(self.project, platform, settings, self.hooks.source_paths)

    def _reuse(self, destination: Path, platform: Platform, facts: str) -> Bundle | None:
        """Return the existing bundle if a new build would make the same one, or else ``None``."""
        from mastra_deployer.bundler.metadata.build_state import load_build_state
        from mastra_deployer.pipeline.up_to_date import compute_current_fingerprint

        state = load_build_state(self.project, destination) if facts else None
        if state is None or state.facts != facts:
            return None
        target, kind = self.hooks.target, state.manifest.kind
        fingerprint = compute_current_fingerprint(self.project, target, platform, kind)
        if fingerprint != state.manifest.fingerprint or not state.is_current(destination):
            return None
        self.report.step("Nothing has changed")
        bundle = Bundle(directory=destination, manifest=state.manifest)
        problems = self.hooks.inspect(bundle, remove_secrets(self.settings))
        self.report_problems([*state.problems, *problems])
        self.hooks.notify_reused(bundle, self.report)
        return bundle

    def _build_and_bundle(self, destination: Path, platform: Platform, facts: str) -> Bundle:
        from mastra_deployer.bundler.metadata.build_state import save_build_state
        from mastra_deployer.bundler.vendor.vendor_reuse import save_vendor_directory
        from mastra_deployer.checks.app_problems import check_app

        local_path = ensure_local_directory(self.project)
        settings = remove_secrets(self.settings)
        with (
            temporary_directory(local_path) as temporary,
            temporary_directory(choose_temporary_parent(destination, local_path)) as sibling,
        ):
            build = self._build(Path(temporary) / "build", platform)
            app = check_app(self.project, self.hooks.target, build, self.environ)
            problems = [*self.hooks.check(build, settings), *app]
            self.report_problems(problems)
            staged = Path(sibling) / "bundle"
            staged.mkdir()
            self.report.step(f"Bundling for {self.choice.name}")
            bundle = self.hooks.bundle(build, staged, settings, self.report)
            self.report_problems(self.hooks.inspect(bundle, settings))
            keep_written_files(self.project, destination, staged, self.report)
            replace_directory(staged, destination)
            save_vendor_directory(staged, get_vendor_reuse_directory(self.project))
        if facts:
            with contextlib.suppress(OSError):  # without the state, the next build is a full build
                save_build_state(self.project, destination, facts, bundle.manifest, problems)
        return dataclasses.replace(bundle, directory=destination)

    def _build(self, directory: Path, platform: Platform) -> Build:
        directory.mkdir()
        return self.hooks.build(self.project, platform, directory, self.report)

    def report_file_variables(self, environment: Environment) -> None:
        """Report variables of ``.env`` that a preview and a deployment would not have.

        :param environment: the declared variables of the project, or of a prebuilt bundle.
        """
        patterns = get_config(self.project).check.ignore
        self.report_problems(check_env_files(self.file_variables, environment, patterns))

    def report_problems(
        self, problems: Iterable[Problem], error_class: type[MastraError] = BuildError
    ) -> None:
        """Add problems to ``self.problems`` and show them; raise those of the severity ``error``.

        :param problems: the problems that a check found.
        :param error_class: the class of the error to raise.
        :raises MastraError: an error of ``error_class`` that contains all problems of the severity
            ``error``.
        """
        problems = list(problems)
        self.problems.extend(problems)
        hidden = {"note": not self.notes, "warning": self.strict}
        raise_for_errors(
            [item for item in problems if not hidden.get(item.severity)],
            self.report,
            error_class,
        )


def open_session(
    project: Project,
    choice: TargetChoice,
    report: Report,
    *,
    flags: Mapping[str, str] | None = None,
    env_file: Path | None = None,
    python: str = "",
    wheels: str = "",
    resolve: bool = False,
    check_file: Callable[[Path], None] = require_trusted_file,
    confirm: Callable[[str, str], bool] | None = None,
) -> Session:
    """Load the target's deployer and merge its settings.

    After this call, the session's ``host_policy`` applies to every client of the kit, and
    ``report`` shows the retries of these clients.

    :param project: the app.
    :param choice: the target as the user named it.
    :param report: receives progress and notes.
    :param flags: settings from ``-s key=value``.
    :param env_file: the file of ``--env-file``, which is read in addition to ``.env``.
    :param python: ``--python``; empty for the target's own setting.
    :param wheels: ``--platform``; empty for the target's own setting.
    :param resolve: whether settings that refer to environment variables get their values.
    :param check_file: raises an error for a file of the project that must not run as a deployer.
    :param confirm: asks the user whether credentials may go to a host that a setting of the
        project names; ``None`` if nobody can be asked.
    :raises ConsentError: for a deployer of the project that the user does not trust.
    :raises ConfigError: for an unknown target, an unknown setting or a wrong value.
    """
    hooks = HookCaller(choice.deployer, project.root, build_hook, check_file)
    values = read_environment(project, env_file)
    settings = merge_settings(
        hooks.target.settings,
        flags=flags or {},
        environ=values,
        table=choice.table,
        entry=choice.call.settings if choice.call else {},
        resolve=resolve,
        project_name=get_project_name(read_pyproject(project.root)),
    )
    _warn_about_secrets(choice, hooks.target, report)
    add_masked_values(_iter_secrets(project, hooks.target, settings, values))
    project_values = list_project_values(
        settings, flags=flags or {}, user_environ=read_user_environment(project, env_file)
    )
    policy = HostPolicy(
        project_values, confirm, lambda host: report.step(f"Sending credentials to {host}")
    )
    set_host_policy(policy)
    set_retry_report(report)
    return Session(
        file_variables=_list_file_variables(project, env_file, choice, hooks.target),
        project=project,
        choice=choice,
        hooks=hooks,
        settings=settings,
        environ=values,
        report=report,
        host_policy=policy,
        python=python or choice.python,
        wheels=wheels or choice.platform,
    )


def _list_file_variables(
    project: Project, env_file: Path | None, choice: TargetChoice, target: Target
) -> frozenset[str]:
    """Return the names in ``.env`` files, except names that only the deployer reads."""
    fields = dataclasses.fields(target.settings)
    used = {*target.credentials, *(name for field in fields for name in get_variables(field))}
    values = choice.call.settings.values() if choice.call else ()
    used |= {item.name for item in values if isinstance(item, EnvReference)}
    used |= {item.name for item in values if isinstance(item, Secret)}
    return list_file_variables(project, env_file) - used


def _iter_secrets(
    project: Project, target: Target, settings: Any, environ: Mapping[str, str]
) -> Iterator[str]:
    """Yield the values to mask: credentials and app variables, which a platform may repeat."""
    names = (*target.credentials, *project.environment.names)
    yield from (environ[name] for name in names if environ.get(name))
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if isinstance(value, Secret) and not value.name:
            yield value.reveal()


def _warn_about_secrets(choice: TargetChoice, target: Target, report: Report) -> None:
    call = choice.call
    names = find_plaintext_secrets(target.settings, call.settings) if call else []
    if call and names:
        report.warn(
            f"{', '.join(names)} of {call.class_name} is in plain text in the source (line "
            f"{call.line}). The bundle does not contain this value.",
            "Write Secret.env('NAME'), and set the variable.",
        )
