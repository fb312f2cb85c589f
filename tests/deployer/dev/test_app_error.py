"""How `mastra dev` explains an exception of the app."""

import pytest

from mastra_deployer.dev.app_error import explain
from mastra_deployer.project.discovery import find_project
from mastra_deployer.project.interpreters import Interpreter
from tests.sample_projects import ECHO, write_project

PYTHON = Interpreter(
    path="/venv/bin/python",
    python="3.12",
    wheels="x86_64-manylinux_2_28",
    full_version="3.12.1",
    cache_tag="cpython-312",
)
WORKSPACE = {
    "pyproject.toml": '[tool.uv.workspace]\nmembers = ["apps/*", "libs/*"]\n',
    "libs/shared/pyproject.toml": '[project]\nname = "shared-words"\nversion = "0"\n',
    "libs/shared/src/shared/__init__.py": "",
}
LOCAL = '[tool.uv.sources]\nlocal-words = { path = "../local" }\n'
POETRY = '[tool.poetry.dependencies]\nwords = { path = "../words" }\n'


def explain_missing(root, module):
    frames = [[str(root / "src/mastra/index.py"), 1, "<module>", f"import {module}"]]
    error = {"type": "ModuleNotFoundError", "message": "", "missing": module, "hint": ""}
    return explain(find_project(root), PYTHON, {**error, "frames": frames}).hint


@pytest.mark.parametrize(
    ("module", "dependencies", "config", "lock", "hint"),
    [
        ("shared.text", ("shared-words",), "", "", "does not have it. Run: uv sync."),
        (
            "shared",
            (),
            "",
            "",
            "member 'shared-words'. Declare and install it: uv add shared-words",
        ),
        ("local_words", ("local-words>=1",), LOCAL, "", "Run: uv sync."),
        ("words", (), POETRY, "poetry.lock", "Run: poetry install."),
        ("words", ("words",), "", "", "Run: uv pip install --python /venv/bin/python words."),
        ("words", (), "", "", "If the package has that name, add it to the dependencies and run:"),
        ("mastra.words", (), "", "", "belongs to the project"),
    ],
)
def test_missing_module_names_the_command_that_installs_it(
    tmp_path, module, dependencies, config, lock, hint
):
    """No hint installs a package of an index in place of a local one of the same name."""
    is_member = module.startswith("shared")
    workspace = write_project(tmp_path, WORKSPACE if is_member else {})
    files = {"src/mastra/index.py": ECHO, **({lock: ""} if lock else {})}
    root = write_project(workspace / "apps/shop", files, config, dependencies)
    assert hint in explain_missing(root, module)


def test_message_of_several_lines_is_whole(tmp_path):
    root = write_project(tmp_path, {"src/mastra/index.py": ECHO})
    error = {"type": "ValidationError", "message": "1 error\nmax_order\n  not an integer"}
    found = explain(find_project(root), PYTHON, {**error, "missing": "", "hint": "", "frames": []})
    assert found.message == "ValidationError: 1 error\nmax_order\n  not an integer"
