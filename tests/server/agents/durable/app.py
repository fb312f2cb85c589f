"""A server process with durable agents, which a test may kill.

The tools write their names to the file ``effects``. The tool ``wait`` returns when the file ``hold``
does not exist.
"""

import asyncio
import os
import sys
from pathlib import Path

import uvicorn
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from mastra_core import Agent, DurableEngine, Mastra, Memory, StepContext, Workflow, step, tool
from mastra_core.tools import ToolContext
from mastra_server import create_app


def create_mastra(directory, database, model_url):
    effects, hold = directory / "effects", directory / "hold"

    def record_effect(text):
        with effects.open("a") as file:
            file.write(f"{text}\n")

    def note() -> str:
        """Note something."""
        record_effect("note")
        return "noted"

    async def wait(context: ToolContext) -> str:
        """Wait."""
        record_effect(f"wait {context.call_id} {context.is_repeated}")
        while hold.exists():  # noqa: ASYNC110  # another process removes the file
            await asyncio.sleep(0.02)
        return "waited"

    @tool(requires_approval=True)
    def pay() -> str:
        """Pay."""
        record_effect("pay")
        return "paid"

    @step
    def prepare(script: str, context: StepContext) -> str:
        record_effect("prepare")
        return script

    model = OpenAIChatModel("scripted", provider=OpenAIProvider(base_url=model_url, api_key="key"))
    helper = Agent(name="helper", model=model, tools=[note, wait])
    clerk = Agent(
        name="clerk", model=model, tools=[note, wait, pay], max_steps=9, description="Works."
    )
    return Mastra(
        agents={"clerk": clerk, "helper": helper},
        workflows={"report": Workflow("report").then(prepare).then(clerk)},
        engine=DurableEngine(database, lease=2),
        storage=database,
        memory=Memory(),
    )


class AnnouncingServer(uvicorn.Server):
    """Prints its port when it serves, and tells the application that it stops, as bundles do."""

    def handle_exit(self, sig, frame):
        self.config.app.state.draining = True
        super().handle_exit(sig, frame)

    async def startup(self, sockets=None):
        await super().startup(sockets)
        if self.started:
            print(self.servers[0].sockets[0].getsockname()[1], flush=True)


def main(directory, database, model_url):
    app = create_app(create_mastra(Path(directory), database, model_url))
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, log_level="warning", timeout_graceful_shutdown=60
    )
    AnnouncingServer(config).run()


if __name__ == "__main__":
    main(sys.argv[1], os.environ["DATABASE"], sys.argv[2])
