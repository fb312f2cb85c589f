"""`mastra check TARGET` says which engine works there, and names the way that exists."""

from pathlib import Path

import pytest

from mastra_core import DurableEngine, Mastra, Workflow, step
from mastra_core.database.url import DATABASE_URL
from mastra_core.describe import describe
from mastra_core.pipeline import Build, BundleManifest, Environment, Platform, Target
from mastra_deployer.checks.run_database import check_run_database

WORKER = ("d1",)
FUNCTION = ("postgresql",)
SERVER = ("postgresql", "sqlite")


def check(works, kind, variables=()):
    manifest = BundleManifest(
        app="main:app", entry="main:app", paths=(), python="3.12", wheels="", run_database=kind
    )
    build = Build(directory=Path(), platform=Platform(), manifest=manifest)
    target = Target(name="acme", summary="", settings=Environment, run_databases=works)
    return list(check_run_database(target, build, variables))


@pytest.mark.parametrize(
    ("works", "kind", "severity"),
    [
        (WORKER, "d1", "note"),
        (WORKER, "sqlite", "error"),
        (WORKER, "postgresql", "error"),
        (WORKER, "variable", "error"),
        (FUNCTION, "postgresql", "note"),
        (FUNCTION, "sqlite", "warning"),
        (FUNCTION, "d1", "error"),
        (FUNCTION, "variable", "warning"),
        (SERVER, "sqlite", "note"),
        (SERVER, "variable", "note"),
        (SERVER, "d1", "error"),
    ],
)
def test_each_engine_on_each_kind_of_target(works, kind, severity):
    (problem,) = check(works, kind)
    assert problem.severity == severity
    assert "acme" in problem.message + problem.hint
    if severity != "note":
        way = 'engine=DurableEngine("d1:DB")' if works == WORKER else 'engine="durable"'
        assert way in problem.hint


def test_declared_variable_is_no_problem():
    (problem,) = check(FUNCTION, "variable", [DATABASE_URL])
    assert problem.severity == "note"


def test_the_default_file_is_named_unless_a_variable_names_a_database():
    (problem,) = check(SERVER, "variable")
    assert "mastra.db" in problem.message and DATABASE_URL in problem.hint
    (problem,) = check(SERVER, "variable", [DATABASE_URL])
    assert f"that {DATABASE_URL} names" in problem.message


@pytest.mark.parametrize("kind", ["", "memory", "other"])
def test_other_engines_are_reported_elsewhere(kind):
    assert check(FUNCTION, kind) == []


@step
async def double(number: int) -> int:
    return 2 * number


@pytest.mark.parametrize(
    ("engine", "kind"),
    [
        (None, "memory"),
        ("durable", "variable"),
        (DurableEngine("sqlite:///runs.db"), "sqlite"),
        (DurableEngine("postgresql://db.example.com/runs"), "postgresql"),
        (DurableEngine("d1:DB"), "d1"),
    ],
    ids="memory variable sqlite postgresql d1".split(),
)
def test_description_names_the_database(engine, kind):
    mastra = Mastra(workflows={"w": Workflow("w").then(double)}, engine=engine)
    assert describe(mastra)["run_database"] == kind
    assert describe(Mastra(engine=engine))["run_database"] == ""


def test_one_durable_workflow_names_the_database():
    workflows = {"w": Workflow("w", durable=True).then(double)}
    assert describe(Mastra(workflows=workflows))["run_database"] == "variable"
