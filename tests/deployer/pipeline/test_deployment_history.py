"""The project's own record of deployments, for platforms that cannot list them."""

import datetime as dt

import pytest

from mastra_core.pipeline import Deployment, SilentReport
from mastra_deployer.pipeline.deployment_history import list_known_deployments, record_deployment
from mastra_deployer.project.discovery import find_project


@pytest.fixture
def project(tmp_path):
    (tmp_path / "main.py").write_text("app = None\n")
    return find_project(tmp_path, "main:app")


def record(project, id, **fields):
    deployment = Deployment(
        target="paper",
        id=id,
        url="https://paper.example",
        created=dt.datetime.now(dt.UTC),
        **{"environment": "production", **fields},
    )
    record_deployment(project, "paper", deployment, SilentReport())


def list_live(project):
    return [item.id for item in list_known_deployments(project, "paper") if item.live]


def test_a_draft_does_not_replace_the_live_deployment(project):
    record(project, "one")
    record(project, "draft", live=False)
    assert list_live(project) == ["one"]


def test_the_newest_live_deployment_replaces_earlier_ones(project):
    for name in ("one", "two", "one"):
        record(project, name)
    assert list_live(project) == ["one"]


def test_a_promoted_draft_is_live(project):
    record(project, "one")
    record(project, "draft", live=False)
    record(project, "draft", live=True)
    assert list_live(project) == ["draft"]


def test_previews_stay_live_beside_production(project):
    record(project, "preview", environment="preview")
    record(project, "one")
    record(project, "other", environment="preview")
    assert list_live(project) == ["other", "one", "preview"]
