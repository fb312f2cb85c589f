"""A fake Vercel that runs deployed functions under the real runtime."""

import contextlib
import json

import pytest

from mastra_deployer_vercel.preview.function_runtime import FunctionRuntime
from tests.vercel.fake import FakeVercel


@pytest.fixture
def vercel(tmp_path, find_python):
    """The platform; functions are started at their first request."""
    stack = contextlib.ExitStack()

    def start_function(function, environment):
        version = json.loads((function / ".vc-config.json").read_text())["runtime"]
        python = find_python(version.removeprefix("python"))
        return stack.enter_context(
            FunctionRuntime(function, python, environment, lambda _: None)
        ).port

    fake = FakeVercel(tmp_path / "vercel", runner=start_function)
    fake.set_build_speed(polls=0)  # waiting is tested in the conformance suite
    with stack:
        yield fake
        fake.stop()


@pytest.fixture
def run(vercel, mastra):
    """Run `mastra` with the credentials of that platform."""

    def command(root, *arguments, **environment):
        variables = {"VERCEL_API_URL": vercel.url, "VERCEL_TOKEN": vercel.token, **environment}
        variables = {name: value for name, value in variables.items() if value is not None}
        return mastra(*arguments, cwd=root, **variables)

    return command
