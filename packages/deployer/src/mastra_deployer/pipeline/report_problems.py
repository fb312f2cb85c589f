"""Show the warnings and notes that checks found, and raise one exception for all errors."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mastra_core.errors import BuildError, MastraError
from mastra_core.pipeline import Problem, Report

__all__ = ("raise_for_errors",)

_QUOTED = re.compile(r"'[^']*'")
_MIN_ALIKE = 4  # this many problems of one kind become one message with a count


def raise_for_errors(
    problems: list[Problem], report: Report, error_class: type[MastraError] = BuildError
) -> None:
    """Show warnings and notes, and raise all errors as one error.

    :param problems: the problems that a check found.
    :param report: receives warnings and notes.
    :param error_class: the class of the error to raise.
    :raises MastraError: an error of ``error_class``, when a problem has the severity ``error``.
    """
    for alike in _group_by_kind(problems):
        if alike[0].severity != "error":
            show = report.warn if alike[0].severity == "warning" else report.note
            show(_format_alike(alike), alike[0].hint)
    errors = [problem for problem in problems if problem.severity == "error"]
    if errors:
        hint = "\n".join(problem.hint for problem in errors if problem.hint)
        raise error_class("\n".join(map(_format_problem, errors)), hint)


def _group_by_kind(problems: Iterable[Problem]) -> list[list[Problem]]:
    """Group problems with the same hint whose messages differ only in quoted names."""
    groups: dict[tuple[str, str, str], list[Problem]] = {}
    for problem in problems:
        kind = (problem.severity, problem.hint, _QUOTED.sub("''", problem.message))
        groups.setdefault(kind, []).append(problem)
    return list(groups.values())


def _format_alike(alike: list[Problem]) -> str:
    """Format problems of one kind; if there are many, only the first is complete."""
    if len(alike) < _MIN_ALIKE:
        return "\n".join(map(_format_problem, alike))
    places = list(dict.fromkeys(item.where for item in alike[1:] if item.where))
    named = f": {', '.join(places[:_MIN_ALIKE])}" if places else ""
    more = f" and {len(places) - _MIN_ALIKE} more places" if len(places) > _MIN_ALIKE else ""
    return (
        f"{_format_problem(alike[0])}\n{len(alike) - 1} others are of the same kind{named}{more}."
    )


def _format_problem(problem: Problem) -> str:
    return f"{problem.where}: {problem.message}" if problem.where else problem.message
