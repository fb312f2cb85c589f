"""Mastra Studio with `Server(auth=...)`: the original's own page, in a real browser.

With MASTRA_TEST_SCREENSHOTS=DIRECTORY, the screenshots are written to that directory.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import DeltaToolCall, FunctionModel

from mastra_core import Agent, Cors, Mastra, Memory, Server, StepContext, Workflow, step, tool
from mastra_deployer.testing.free_port import find_free_port
from mastra_server import ApiKeys, create_app
from tests.deployer.studio.chromium import find_chromium
from tests.deployer.studio.test_studio import run_studio
from tests.node import install_packages, run_script
from tests.server.conftest import run_server

KEY = "key-of-ada"
SCREENSHOTS = (
    "sign-in", "agents", "approval-after-reload", "approved", "tool", "suspended", "resumed",
    "trace",
)  # fmt: skip
paid = []


@dataclass
class Sum:
    total: int


@dataclass
class Topic:
    topic: str


@dataclass
class Approval:
    ok: bool


@tool
def add(a: int, b: int) -> Sum:
    """Add two numbers."""
    return Sum(a + b)


@tool(requires_approval=True)
def pay(amount: int) -> str:
    """Pay."""
    paid.append(amount)
    return f"paid {amount}"


@step(resume=Approval)
async def ask(value: Topic, context: StepContext) -> Approval:
    if context.resume_data is None:
        context.suspend({"reason": f"approve {value.topic}?"})
    return context.resume_data


@step
async def finish(value: Approval) -> dict:
    return {"done": "yes" if value.ok else "no"}


def build_part(messages):
    """Return the next part of the model."""
    last = messages[-1].parts[-1]
    if isinstance(last, ToolReturnPart):
        return TextPart(f"Done: {last.content}")
    *_, words = (p.content for m in messages for p in m.parts if p.part_kind == "user-prompt")
    return ToolCallPart("pay", {"amount": 3}, "call-1") if words == "pay" else TextPart(
        f"You said {words}."
    )  # fmt: skip


async def generate_response(messages: list, info) -> ModelResponse:
    return ModelResponse(parts=[build_part(messages)])


async def stream_response(messages: list, info):
    part = build_part(messages)
    if isinstance(part, ToolCallPart):
        arguments = part.args_as_json_str()
        yield {0: DeltaToolCall(part.tool_name, arguments, tool_call_id=part.tool_call_id)}
    else:
        for word in re.findall(r"\S+\s*", part.content):
            yield word


def create_application(studio):
    """Build the application, with the settings that the docs name for Studio."""
    model = FunctionModel(generate_response, stream_function=stream_response, model_name="echo")
    return Mastra(
        agents={"clerk": Agent(name="clerk", model=model, instructions="", tools=[pay])},
        workflows={"approve": Workflow("approve").then(ask).then(finish)},
        tools={"add": add},
        memory=Memory(),
        logger=False,
        server=Server(
            auth=ApiKeys({"ada": KEY}),
            cors=Cors(origins=[studio], credentials=True),
            traces=True,
        ),
    )


@pytest.mark.slow
def test_sign_in_and_use_every_page(tmp_path):
    browser = find_chromium()  # before anything is started
    screenshots = Path(os.environ.get("MASTRA_TEST_SCREENSHOTS") or tmp_path)
    screenshots.mkdir(parents=True, exist_ok=True)
    port = find_free_port()
    application = create_app(create_application(f"http://127.0.0.1:{port}"))
    paid.clear()
    with run_server(application) as server, run_studio(server.url, "--port", str(port)) as page:
        home = install_packages("playwright-core@1.65.1")
        script = Path(__file__).with_name("sign_in.mjs")
        seen = run_script(script, home, browser, page, screenshots, KEY, seconds=180)
    assert seen["errors"] == []
    assert seen["refused"] == [], "a page is refused although the user has signed in"
    assert seen["wrongKey"], "a wrong key signs in"
    assert paid == [3], "the approval after a reload does not reach the run"
    assert "chat echo" in seen["span"]
    assert "Tokens Used" in seen["span"]
    assert "You said hello." in seen["span"]
    for name in SCREENSHOTS:
        assert (screenshots / f"{name}.png").read_bytes().startswith(b"\x89PNG")
