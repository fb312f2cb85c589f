"""Changes of variables count until a deploy that began after them."""

import pytest

from mastra_deployer.pipeline.variable_changes import forget_changes, list_changes, record_change
from mastra_deployer.project.discovery import find_project
from tests.sample_projects import ECHO, write_project


@pytest.fixture
def project(tmp_path):
    return find_project(write_project(tmp_path / "app", {"src/mastra/index.py": ECHO}))


def test_a_change_during_a_deploy_stays_recorded(project):
    record_change(project, "acme", "production")
    other = record_change(project, "acme", "preview")
    used = list_changes(project, "acme", "production")
    later = record_change(project, "acme", "production")
    forget_changes(project, "acme", "production", used)
    assert list_changes(project, "acme", "production") == [later]
    assert list_changes(project, "acme", "preview") == [other]
    forget_changes(project, "acme", "production", [later])
    assert list_changes(project, "acme", "production") == []


@pytest.mark.parametrize("content", ["", "[", '["acme/production"]', "\N{SNOWMAN}"])
def test_a_damaged_file_is_replaced(project, content):
    record_change(project, "acme", "preview")
    (project.local_directory / "variable-changes.json").write_text(content, encoding="utf-8")
    assert list_changes(project, "acme", "production") == []
    change = record_change(project, "acme", "production")
    assert list_changes(project, "acme", "production") == [change]
