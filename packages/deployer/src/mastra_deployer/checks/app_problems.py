"""Compare what an app's own code needs with the declarations in pyproject.toml."""

from __future__ import annotations

import fnmatch
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from mastra_core.pipeline import Build, Problem, Project, Target
from mastra_deployer.bundler.metadata.inventory import read_inventory
from mastra_deployer.checks.known_variables import is_known_variable
from mastra_deployer.checks.parsed_sources import FileFindings, ParsedSources
from mastra_deployer.checks.process_memory import check_process_memory
from mastra_deployer.checks.request_limits import check_request_limits
from mastra_deployer.checks.reserved_variables import check_reserved_variables
from mastra_deployer.checks.run_database import check_run_database
from mastra_deployer.checks.value_problems import VOLUME_HINT, describe_lost_file
from mastra_deployer.checks.websockets import check_websockets
from mastra_deployer.code_analysis.database_files import DatabaseFile
from mastra_deployer.output.other_places import format_other_places
from mastra_deployer.project.discovery import get_config

__all__ = ("check_app",)


def check_app(
    project: Project, target: Target, build: Build, values: Mapping[str, str]
) -> list[Problem]:
    """Return all problems that can be found in the app's code without running it.

    :param project: the app.
    :param target: the target.
    :param build: the staged app.
    :param values: every known environment variable.
    """
    root = build.directory / "app"
    sources = ParsedSources(root, build.directory / build.manifest.paths[0], root.rglob("*.py"))
    check = _AppCheck(project, build, sources)
    problems = [
        *check.report_missing(),
        *check.report_unparsed(),
        *check.report_undeclared(),
        *check.report_models(),
        *check.report_unused(),
        *check_reserved_variables(target, project.environment.names),
    ]
    problems += check_request_limits(target, build)
    problems += check_run_database(target, build, {*project.environment.names, *values})
    problems += check_websockets(target, build)
    if not target.persistent_disk:
        problems += check.report_stores(target, values)
    if target.short_lived:
        problems += check_process_memory(target, build)
    return problems


class _AppCheck:
    """Finds problems of the app, with one method for each kind of problem."""

    def __init__(self, project: Project, build: Build, sources: ParsedSources) -> None:
        self._sources = sources
        self._project, self._build = project, build
        self._ignored = get_config(project).check.ignore
        self._wanted = build.manifest.variables
        self._keys = {name for names in self._wanted.values() for name in names}
        self._findings = [
            item for item in sources.iter_findings() if not self._is_ignored(item.path)
        ]
        self._declared = {name.upper() for name in project.environment.names}
        self._places = _group_by_name(self._findings)
        self._read = {name.upper() for name in self._places}

    def report_missing(self) -> Iterator[Problem]:
        """Report modules and files that the code uses and the bundle does not contain."""
        inventory = read_inventory(self._project, self._build.manifest)
        # A deployer's own build writes no inventory, so the existing one may be of another build.
        if inventory and inventory.fingerprint == self._build.manifest.fingerprint:
            for problem in inventory.problems:
                if not self._is_ignored(_get_file(problem.where)):
                    yield problem

    def report_unparsed(self) -> Iterator[Problem]:
        for item in self._findings:
            if item.unread:
                yield Problem(
                    message=f"mastra's own Python cannot parse this file ({item.unread}), so "
                    "its variables are not checked.",
                    hint="To check them, install mastra under the app's own Python.",
                    severity="note",
                    where=item.path,
                )

    def report_undeclared(self) -> Iterator[Problem]:
        written = {name for item in self._findings for name in item.written}
        for name, reads in sorted(self._places.items()):
            if name.upper() in self._declared or is_known_variable(name, self._ignored):
                continue
            # The model needs the variable, even if the code does not read it.
            keyed = name in self._keys
            needed = [place for place, default in reads if keyed or not default]
            if needed and name not in written:
                yield _build_required_problem(name, needed)
            else:
                yield _build_optional_problem(name, [place for place, _ in reads])

    def report_models(self) -> Iterator[Problem]:
        """Report keys of model providers that are neither declared nor read by the code."""
        known = self._declared | self._read
        agents_by_names: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for agent, names in self._wanted.items():
            if known.isdisjoint(names):
                agents_by_names[tuple(names)].append(agent)
        for names, agents in agents_by_names.items():
            if any(is_known_variable(name, self._ignored) for name in names):
                continue
            from mastra_core.agents.providers import find_providers  # most builds need no agents

            yield Problem(
                message=f"The model of {_format_list('agent', agents)} needs "
                f"{' or '.join(names)}, which is not declared.",
                hint=f'Declare it: [tool.mastra.env] required = ["{names[0]}"].',
                severity="warning",
                where=self._sources.locate_model(find_providers(names)),
            )

    def report_unused(self) -> Iterator[Problem]:
        read = self._read | self._keys
        for name in self._project.environment.names:
            known = name.upper() in read or is_known_variable(name, self._ignored)
            if not known and not self._sources.may_mention(name):
                yield Problem(
                    message=f"The environment variable {name!r} is declared, but no code of "
                    "the project reads it.",
                    hint="Remove it from [tool.mastra.env], unless a dependency reads it.",
                    severity="note",
                    where="pyproject.toml",
                )

    def report_stores(self, target: Target, values: Mapping[str, str]) -> Iterator[Problem]:
        """Report database files, unless the URL of the database comes from a declared variable."""
        declared = self._project.environment
        set_here = [name for name in declared.names if values.get(name, "").strip()]
        replaced = {name.upper() for name in (*declared.required, *set_here)}
        for item in self._findings:
            for store in item.stores:
                if store.variable.upper() in replaced:
                    continue
                yield _build_store_problem(store, f"{item.path}:{store.line}", target)

    def _is_ignored(self, path: str) -> bool:
        return any(fnmatch.fnmatchcase(path, pattern) for pattern in self._ignored)


def _get_file(where: str) -> str:
    """Return the file of a place, which is ``FILE`` or ``FILE:LINE``."""
    file, _, line = where.rpartition(":")
    return file if line.isdigit() else where


def _group_by_name(findings: Sequence[FileFindings]) -> dict[str, list[tuple[str, bool]]]:
    """Return the places that read each variable, and whether they work without a value."""
    places: dict[str, list[tuple[str, bool]]] = defaultdict(list)
    for item in findings:
        for read in item.reads:
            places[read.name].append((f"{item.path}:{read.line}", read.default))
    return places


def _build_required_problem(name: str, places: Sequence[str]) -> Problem:
    return Problem(
        message=f"The environment variable {name!r} is read, but not "
        f"declared{format_other_places(places)}.",
        hint=f'Declare it: [tool.mastra.env] required = ["{name}"], or optional if the app works '
        "without it.",
        severity="warning",
        where=places[0],
    )


def _build_optional_problem(name: str, places: Sequence[str]) -> Problem:
    return Problem(
        message=f"The environment variable {name!r} is read with a default, but not "
        f"declared{format_other_places(places)}.",
        hint=f'To set it with a deploy, declare it: [tool.mastra.env] optional = ["{name}"].',
        severity="note",
        where=places[0],
    )


def _build_store_problem(store: DatabaseFile, place: str, target: Target) -> Problem:
    variable = store.variable
    network = "Use a database on the network"
    network += f": declare {variable} in [tool.mastra.env], and set it." if variable else "."
    return Problem(
        message=f"{store.text!r} is a database in a file, which {describe_lost_file(target)}",
        hint=f"{VOLUME_HINT} {network}" if target.volumes else network,
        severity="warning",
        where=place,
    )


def _format_list(noun: str, names: Sequence[str]) -> str:
    quoted = ", ".join(map(repr, names))
    return f"{noun if len(names) == 1 else noun + 's'} {quoted}"
