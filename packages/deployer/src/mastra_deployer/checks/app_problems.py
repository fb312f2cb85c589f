"""What an app's own code says of its environment, against what pyproject.toml declares."""

from __future__ import annotations

import fnmatch
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from mastra_core.agents.providers import providers_of
from mastra_core.pipeline import Build, Problem, Project, Target
from mastra_deployer.checks.database_files import Store
from mastra_deployer.checks.known_variables import is_ambient
from mastra_deployer.checks.parsed_sources import Findings, Sources
from mastra_deployer.project.discovery import config_of

__all__ = ("app_problems",)

_SHOWN = 5  # places of one variable


def app_problems(
    project: Project, target: Target, build: Build, values: Mapping[str, str]
) -> list[Problem]:
    """Everything, without running the app.

    :param values: every variable there is a value for.
    """
    root = build.directory / "app"
    sources = Sources(root, build.directory / build.manifest.paths[0], root.rglob("*.py"))
    check = _Check(project, build, sources)
    found = [*check.unread(), *check.undeclared(), *check.models(), *check.unused()]
    if not target.keeps_files:
        found += check.stores(target, values)
    return found


class _Check:
    """One look at the findings, by what is wrong with them."""

    def __init__(self, project: Project, build: Build, sources: Sources) -> None:
        self._sources = sources
        self._project = project
        self._ignored = config_of(project).check.ignore
        self._wanted = build.manifest.variables
        self._keys = {name for names in self._wanted.values() for name in names}
        self._findings = [item for item in sources.findings() if not self._ignores(item.path)]
        self._declared = {name.upper() for name in project.environment.names}

    def unread(self) -> Iterator[Problem]:
        for item in self._findings:
            if item.unread:
                yield Problem(
                    message=f"mastra's own Python cannot parse this file ({item.unread}), so what "
                    "it reads is not known.",
                    hint="Install mastra under the app's own Python to have it checked.",
                    severity="note",
                    where=item.path,
                )

    def undeclared(self) -> Iterator[Problem]:
        written = {name for item in self._findings for name in item.written}
        for name, reads in sorted(_by_name(self._findings).items()):
            if name.upper() in self._declared or is_ambient(name, self._ignored):
                continue
            keyed = name in self._keys  # the model needs it, whatever the code does without it
            needed = [place for place, default in reads if keyed or not default]
            if needed and name not in written:
                yield _needed(name, needed)
            else:
                yield _optional(name, [place for place, _ in reads])

    def models(self) -> Iterator[Problem]:
        """Keys of model providers, where nothing in the code reads them either."""
        read = {name.upper() for name in _by_name(self._findings)}
        asked: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for agent, names in self._wanted.items():
            if not any(name in self._declared | read for name in names):
                asked[tuple(names)].append(agent)
        for names, agents in asked.items():
            if any(is_ambient(name, self._ignored) for name in names):
                continue
            yield Problem(
                message=f"The model of {_listed('agent', agents)} needs {' or '.join(names)}, and "
                "nobody declared it.",
                hint=f'Declare it: [tool.mastra.env] required = ["{names[0]}"].',
                severity="warning",
                where=self._sources.place_of_model(providers_of(names)),
            )

    def unused(self) -> Iterator[Problem]:
        read = {name.upper() for name in _by_name(self._findings)} | self._keys
        for name in self._project.environment.names:
            known = name.upper() in read or is_ambient(name, self._ignored)
            if not known and not self._sources.may_read(name):
                yield Problem(
                    message=f"The environment variable {name!r} is declared, and no code of the "
                    "project reads it.",
                    hint="Take it out of [tool.mastra.env], unless a dependency reads it.",
                    severity="note",
                    where="pyproject.toml",
                )

    def stores(self, target: Target, values: Mapping[str, str]) -> Iterator[Problem]:
        """Databases in files, but not those that a declared variable takes the place of."""
        declared = self._project.environment
        set_here = [name for name in declared.names if values.get(name, "").strip()]
        given = {name.upper() for name in (*declared.required, *set_here)}
        for item in self._findings:
            for store in item.stores:
                if store.variable.upper() in given:
                    continue
                yield _store(store, f"{item.path}:{store.line}", target)

    def _ignores(self, path: str) -> bool:
        return any(fnmatch.fnmatchcase(path, pattern) for pattern in self._ignored)


def _by_name(findings: Sequence[Findings]) -> dict[str, list[tuple[str, bool]]]:
    """Each variable with its places, and whether the app does without it there."""
    found: dict[str, list[tuple[str, bool]]] = defaultdict(list)
    for item in findings:
        for read in item.reads:
            found[read.name].append((f"{item.path}:{read.line}", read.default))
    return found


def _needed(name: str, places: Sequence[str]) -> Problem:
    return Problem(
        message=f"The environment variable {name!r} is read, and nobody declared it"
        f"{_also(places)}.",
        hint=f'Declare it: [tool.mastra.env] required = ["{name}"], or optional where the app can '
        "do without.",
        severity="warning",
        where=places[0],
    )


def _optional(name: str, places: Sequence[str]) -> Problem:
    return Problem(
        message=f"The environment variable {name!r} is read with a default, and nobody declared it"
        f"{_also(places)}.",
        hint=f'To have a deploy set it, declare it: [tool.mastra.env] optional = ["{name}"].',
        severity="note",
        where=places[0],
    )


def _store(store: Store, place: str, target: Target) -> Problem:
    variable = store.variable
    return Problem(
        message=f"{store.text!r} is a database in a file, and {target.name!r} keeps none: its disk "
        "is read-only or short-lived.",
        hint="Use a database on the network"
        + (f": declare {variable} in [tool.mastra.env], and set it." if variable else "."),
        severity="warning",
        where=place,
    )


def _also(places: Sequence[str]) -> str:
    others = list(dict.fromkeys(places))[1:]
    more = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
    return f" (also in {', '.join(others[:_SHOWN])}{more})" if others else ""


def _listed(noun: str, names: Sequence[str]) -> str:
    quoted = ", ".join(map(repr, names))
    return f"{noun if len(names) == 1 else noun + 's'} {quoted}"
