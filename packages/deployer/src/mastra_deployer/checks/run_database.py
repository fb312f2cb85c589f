"""Report which databases of workflow runs work on a target."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from mastra_core.pipeline import Build, Problem, Target

__all__ = ("check_run_database", "describe_run_databases")

_VARIABLE = "MASTRA_DATABASE_URL"
_NAMES = {"d1": "Cloudflare D1", "postgresql": "PostgreSQL", "sqlite": "an SQLite file"}
_WAYS = {
    "d1": """engine=DurableEngine("d1:DB") keeps them in the D1 database that the setting """
    """d1 = { DB = "NAME" } binds""",
    "postgresql": f"""engine="durable" keeps them in PostgreSQL, with {_VARIABLE}=postgresql://...""",
    "sqlite": """engine="durable" keeps them in an SQLite file""",
}


def check_run_database(
    target: Target, build: Build, variables: Collection[str]
) -> Iterator[Problem]:
    """Yield a note on the app's durable engine, or a problem if it does not work on a target.

    :param target: the target.
    :param build: the staged app.
    :param variables: names of the variables that the app declares or that have values.
    """
    kind, works = build.manifest.run_database, target.run_databases
    if kind in ("", "memory", "other"):  # the memory is reported where instances are short-lived
        return
    if kind == "variable":
        yield from _check_variable(target, variables)
    elif kind in works:
        yield Problem(
            message=f"Runs of workflows are in {_NAMES[kind]}, which works on {target.name!r}.",
            hint="docs/durable.md describes what is kept, and what may run twice.",
            severity="note",
        )
    else:
        is_chosen_at_start = kind == "sqlite" and "postgresql" in works  # perhaps by a variable
        yield Problem(
            message=f"Runs of workflows are in {_NAMES[kind]}, which does not work on "
            f"{target.name!r}.",
            hint=f"{describe_run_databases(target)}.",
            severity="warning" if is_chosen_at_start else "error",
        )


def describe_run_databases(target: Target) -> str:
    """Return the ways to keep runs of workflows when an instance of a target ends.

    :param target: the target.
    """
    ways = " Or ".join(f"{_WAYS[kind]}." for kind in target.run_databases)
    return f"On {target.name!r}, {ways}".removesuffix(".")


def _check_variable(target: Target, variables: Collection[str]) -> Iterator[Problem]:
    if "postgresql" not in target.run_databases:
        yield Problem(
            message=f'engine="durable" keeps runs of workflows in the database that {_VARIABLE} '
            f"names, which does not work on {target.name!r}.",
            hint=f"{describe_run_databases(target)}.",
        )
    elif "sqlite" not in target.run_databases and _VARIABLE not in variables:
        yield Problem(
            message=f"{_VARIABLE} is not declared, so runs of workflows would be in the file "
            f"mastra.db, which does not work on {target.name!r}.",
            hint=f"{describe_run_databases(target)}. Add {_VARIABLE} to [tool.mastra.env] "
            "required.",
            severity="warning",
        )
    elif _VARIABLE in variables:
        yield Problem(
            message=f"Runs of workflows are in the database that {_VARIABLE} names.",
            hint=f"{describe_run_databases(target)}.",
            severity="note",
        )
    else:
        yield Problem(
            message=f"{_VARIABLE} is not set, so runs of workflows are in the file mastra.db. "
            f"This file works on {target.name!r}.",
            hint=f"To use another database, set {_VARIABLE}, and add it to [tool.mastra.env].",
            severity="note",
        )
