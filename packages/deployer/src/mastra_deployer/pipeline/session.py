"""One run of the line for one target: what every verb needs, gathered once."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mastra_core.errors import BuildError, ConfigError, MastraError
from mastra_core.pipeline import Build, Bundle, Platform, Problem, Project, Report
from mastra_deployer.bundler.metadata.build_state import recall, remember
from mastra_deployer.bundler.vendor.vendor_reuse import keep_spare
from mastra_deployer.checks.app_problems import app_problems
from mastra_deployer.files.atomic_replace import repair, scratch_parent, swap
from mastra_deployer.files.directories import (
    OUTPUT,
    local_directory,
    project_writing,
    spare_directory,
)
from mastra_deployer.files.lock import build_lock
from mastra_deployer.files.temporary import scratch_directory
from mastra_deployer.pipeline.up_to_date import present_facts, present_fingerprint
from mastra_deployer.plugins.hook_calls import Access, Line
from mastra_deployer.project.discovery import config_of
from mastra_deployer.project.environment import read_environment
from mastra_deployer.project.interpreters import Interpreter, probe, project_interpreter
from mastra_deployer.project.settings import (
    credentials_of,
    merge_settings,
    secrets_in_clear,
    without_secrets,
)
from mastra_deployer.project.targets import Choice

__all__ = ("Session", "open_session", "refuse")

_VERSION = re.compile(r"3\.\d+")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Session:
    """A project, a target and everything known of both.

    :param values: every environment variable there is a value for.
    :param python: ``--python``: a version, or the path of an interpreter.
    :param wheels: ``--platform``, in uv's words.
    :param notes: whether notes are told too, not only warnings.
    :param strict: whether warnings are kept back, for ``mastra check`` to end with.
    :param problems: everything that was found so far.
    """

    project: Project
    choice: Choice
    line: Line
    settings: Any
    values: Mapping[str, str]
    report: Report
    python: str = ""
    wheels: str = ""
    notes: bool = False
    strict: bool = False
    problems: list[Problem] = dataclasses.field(default_factory=list)

    @property
    def access(self) -> Access:
        """What hooks that talk to the platform get."""
        target = self.line.target
        return Access(self.settings, credentials_of(target.credentials, self.settings, self.values))

    @property
    def output(self) -> Path:
        """Where this target's bundle goes."""
        if self.line.target.name == "server":
            return self.project.root / OUTPUT
        return self.project.local / "bundles" / self.choice.name

    def bundle(self, output: Path | None = None, *, again: bool = True) -> Bundle:
        """Build, check, bundle, inspect, and swap the result into place.

        :param again: whether this output will be bundled again: what would come out as it
            stands is then left as it stands.
        :raises MastraError: at the first error; what was in place stays there.
        """
        place = (output or self.output).absolute()
        local = local_directory(self.project)
        platform = _platform(self.project, self.line.target.platforms, self.python, self.wheels)
        with build_lock(local, self.report):
            repair(place)
            facts = self._facts(platform) if again else ""
            with project_writing(self.project.root):
                return self._standing(place, platform, facts) or self._made(place, platform, facts)

    def _facts(self, platform: Platform) -> str:
        if self.line.can("build"):  # nobody knows what its build depends on
            return ""
        hidden = without_secrets(self.settings)
        return present_facts(self.project, platform, hidden, self.line.code)

    def _standing(self, place: Path, platform: Platform, facts: str) -> Bundle | None:
        """The bundle in place, where making it again would change nothing."""
        memory = recall(self.project, place) if facts else None
        if memory is None or memory.facts != facts:
            return None
        target, kind = self.line.target, memory.manifest.kind
        fingerprint = present_fingerprint(self.project, target, platform, kind)
        if fingerprint != memory.manifest.fingerprint or not memory.stands(place):
            return None
        self.report.step("Nothing has changed")
        bundle = Bundle(directory=place, manifest=memory.manifest)
        found = self.line.inspect(bundle, without_secrets(self.settings))
        self.heed([*memory.problems, *found])
        self.line.reused(bundle, self.report)
        return bundle

    def _made(self, place: Path, platform: Platform, facts: str) -> Bundle:
        local = local_directory(self.project)
        hidden = without_secrets(self.settings)
        with (
            scratch_directory(local) as scratch,
            scratch_directory(scratch_parent(place, local)) as beside,
        ):
            build = self._build(Path(scratch) / "build", platform)
            own = app_problems(self.project, self.line.target, build, self.values)
            problems = [*self.line.check(build, hidden), *own]
            self.heed(problems)
            made = Path(beside) / "bundle"
            made.mkdir()
            self.report.step(f"Bundling for {self.choice.name}")
            bundle = self.line.bundle(build, made, hidden, self.report)
            self.heed(self.line.inspect(bundle, hidden))
            swap(made, place)
            keep_spare(made, spare_directory(self.project))
        if facts:
            with contextlib.suppress(OSError):  # the next build is then a whole one
                remember(self.project, place, facts, bundle.manifest, problems)
        return dataclasses.replace(bundle, directory=place)

    def _build(self, directory: Path, platform: Platform) -> Build:
        directory.mkdir()
        return self.line.build(self.project, platform, directory, self.report)

    def heed(self, found: Iterable[Problem], kind: type[MastraError] = BuildError) -> None:
        """Keep what was found, show what is wanted of it, and stop at errors."""
        found = list(found)
        self.problems.extend(found)
        hidden = {"note": not self.notes, "warning": self.strict}
        refuse([item for item in found if not hidden.get(item.severity)], self.report, kind)


def open_session(
    project: Project,
    choice: Choice,
    report: Report,
    *,
    flags: Mapping[str, str] | None = None,
    env_file: Path | None = None,
    python: str = "",
    wheels: str = "",
    resolve: bool = False,
) -> Session:
    """Load the target's deployer and merge its settings.

    :param resolve: whether settings that refer to the environment are looked up.
    """
    line = Line(choice.deployer, project.root)
    values = read_environment(project, env_file)
    settings = merge_settings(
        line.target.settings,
        flags=flags or {},
        environ=values,
        table=choice.table,
        entry=choice.call.settings if choice.call else {},
        resolve=resolve,
    )
    _warn_of_secrets(choice, line, report)
    return Session(
        project=project,
        choice=choice,
        line=line,
        settings=settings,
        values=values,
        report=report,
        python=python or choice.python,
        wheels=wheels or choice.platform,
    )


def _warn_of_secrets(choice: Choice, line: Line, report: Report) -> None:
    call = choice.call
    names = secrets_in_clear(line.target.settings, call.settings) if call else []
    if call and names:
        report.note(
            f"{', '.join(names)} of {call.cls} stands in the source in the clear (line "
            f"{call.line}); it does not reach the bundle.",
            "Write Secret.env('NAME') and set the variable.",
        )


def refuse(problems: list[Problem], report: Report, kind: type[MastraError] = BuildError) -> None:
    """Show warnings and notes; stop at errors.

    :param kind: what to raise with all errors, when there are any.
    """
    for problem in problems:
        if problem.severity != "error":
            report.note(_told(problem), problem.hint)
    errors = [problem for problem in problems if problem.severity == "error"]
    if errors:
        hint = "\n".join(problem.hint for problem in errors if problem.hint)
        raise kind("\n".join(map(_told, errors)), hint)


def _told(problem: Problem) -> str:
    return f"{problem.where}: {problem.message}" if problem.where else problem.message


def _platform(
    project: Project, platforms: tuple[Platform, ...], python: str, wheels: str
) -> Platform:
    """What to stage for: what was asked, as far as the target takes it; else the project's own."""
    named = _named(python)
    own = project_interpreter(project)
    wanted = named.python if named else python or config_of(project).python
    fitting = [
        platform
        for platform in platforms
        if (platform.python or wanted or own.python) == (wanted or platform.python or own.python)
        and (platform.wheels or wheels or own.wheels) == (wheels or platform.wheels or own.wheels)
    ]
    if not fitting:
        listed = "; ".join(map(str, platforms))
        raise ConfigError(
            f"The target does not take Python {wanted or own.python} on {wheels or own.wheels}.",
            f"It takes: {listed}.",
        )
    chosen = next(
        (item for item in fitting if item.python == own.python and not wanted), fitting[0]
    )
    return Platform(
        python=wanted or chosen.python or own.python,
        wheels=wheels or chosen.wheels or own.wheels,
        interpreter=named.path if named else "",
    )


def _named(python: str) -> Interpreter | None:
    """``--python PATH`` as an interpreter; nothing for a bare version."""
    if not python or _VERSION.fullmatch(python):
        return None
    found = probe(python)
    if found is None:
        raise ConfigError(f"{python!r} is no Python that runs.", "Pass --python PATH or 3.X.")
    return found
