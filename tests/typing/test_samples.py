"""What a type checker says of our API is what happens at run time."""

import asyncio
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mastra_core import MemoryEngine
from mastra_core.agents import AgentInput
from mastra_core.agents.options import RunOptions
from mastra_core.errors import ConfigError
from tests.typing import chains, mismatches

HERE = Path(__file__).parent
SAMPLES = ["application.py", "calls.py", "chains.py", "mismatches.py"]
CHECKERS = {
    "mypy": ["mypy", "--config-file", "mypy.ini", "--cache-dir", os.devnull],
    "pyright": ["basedpyright", "--pythonpath", sys.executable],
}
MISMATCHES = [
    each
    for each in vars(mismatches).values()
    if inspect.isfunction(each) and each.__module__ == mismatches.__name__
]


def run(workflow, value):
    async def main():
        engine = MemoryEngine()
        run = await engine.create(workflow)
        await engine.start(run, value)
        return await run.wait()

    return asyncio.run(main())


def message_of(describe):
    """The error that describing a workflow raises, or else that of its run."""
    try:
        workflow, value = describe()
    except ConfigError as error:
        return error.message
    return run(workflow, value).error.message


@pytest.mark.slow
@pytest.mark.parametrize("checker", CHECKERS)
def test_the_samples_have_the_expected_errors(checker):
    done = subprocess.run(
        [sys.executable, "-m", *CHECKERS[checker], *SAMPLES],
        cwd=HERE,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("describe", MISMATCHES, ids=lambda each: each.__name__)
def test_a_refused_workflow_is_refused_at_run_time(describe):
    assert re.search("is not|takes 2 inputs|Expected `", message_of(describe))


@pytest.mark.parametrize(
    ("workflow", "value"), chains.RUNS, ids=[workflow.id for workflow, _ in chains.RUNS]
)
def test_an_accepted_workflow_runs(workflow, value):
    record = run(workflow, value)
    assert record.status == "success", record.error


def test_the_options_of_a_run_are_the_fields_of_its_input():
    own = {"journal", "trace", "unread_results"}  # the framework sets them
    fields = tuple(name for name in AgentInput.__struct_fields__ if name not in own)
    assert tuple(RunOptions.__annotations__) == fields
