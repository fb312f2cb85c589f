"""Hold the data about one project and target that all commands need."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mastra_core.errors import BuildError, ConfigError, MastraError
from mastra_core.pipeline import Environment, Problem, Project, Report
from mastra_deployer.checks.env_files import check_env_files
from mastra_deployer.files.directories import OUTPUT_DIRECTORY
from mastra_deployer.pipeline.report_problems import raise_for_errors
from mastra_deployer.pipeline.targets import TargetChoice
from mastra_deployer.plugins.hook_calls import HookCaller, PlatformAccess
from mastra_deployer.project.discovery import get_config
from mastra_deployer.project.settings import collect_credentials
from mastra_deployer.trust.host_policy import HostPolicy

__all__ = ("Session",)


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
    :param strict: whether warnings are collected and not shown. ``mastra check --strict`` shows
        them at its end.
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

        :raises ConfigError: when the target's name is a path that leads out of the directory of
            bundles.
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
