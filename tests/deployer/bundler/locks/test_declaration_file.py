"""The file that hints name as the place of a new dependency."""

import pytest

from mastra_deployer.bundler.locks.declaration_file import find_declaration_file
from mastra_deployer.project.discovery import find_project
from tests.sample_projects import ECHO

INDEX = "src/mastra/index.py"
SCRIPT = '# /// script\n# dependencies = ["starlette"]\n# ///\n'
POETRY = "[tool.poetry.dependencies]\npython = '*'\n"
NAMED = "[tool.mastra.build]\nlock = 'deploy.txt'\n"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, "pyproject.toml"),
        ({"requirements.txt": ""}, "requirements.txt"),
        ({"requirements.txt": "", "requirements.in": ""}, "requirements.in"),
        ({"Pipfile": "", "Pipfile.lock": "{}"}, "Pipfile"),
        ({"requirements.txt": "", "pyproject.toml": "[project]\nname = 'x'\n"}, "pyproject.toml"),
        ({"requirements.txt": "", "pyproject.toml": POETRY}, "pyproject.toml"),
        ({"requirements.txt": "", "pyproject.toml": "[tool.ruff]\n"}, "requirements.txt"),
        ({"deploy.txt": "", "pyproject.toml": NAMED}, "deploy.txt"),
        ({"requirements.txt": "", INDEX: SCRIPT + ECHO}, INDEX),
    ],
)
def test_the_file_that_declares_dependencies(tmp_path, files, expected):
    for name, text in {INDEX: ECHO, **files}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert find_declaration_file(find_project(tmp_path)) == expected
