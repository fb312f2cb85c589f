"""An application for platforms that freeze a process between two requests.

The tests execute it as a program, and bundle it for Vercel and Netlify.
"""

import asyncio
import os
import sys

from mastra_core import DurableEngine, Mastra, StepContext, Workflow, as_step, step


@step
async def prepare(number: int, context: StepContext) -> int:
    """Take a moment, and say which process has executed the step."""
    await asyncio.sleep(0.3)
    await context.write(os.getpid())
    return number + 1


@step(resume=bool)
async def approve(number: int, context: StepContext) -> str:
    """Suspend the run until somebody decides."""
    if context.resume_data is None:
        context.suspend()
    return f"{number} {'approved' if context.resume_data else 'refused'}"


@step
async def idle(number: int) -> int:
    """Take long."""
    await asyncio.sleep(30)
    return number


mastra = Mastra(
    workflows={
        "order": Workflow("order", timeout=3).then(prepare).then(approve),
        "line": Workflow("line").then(prepare).then(as_step(prepare, id="again")),
        "queue": Workflow("queue", concurrency=1).then(prepare),
        "idle": Workflow("idle").then(idle),
    },
    engine=DurableEngine(
        os.environ.get("DATABASE", "sqlite:///runs.db"), lease=1, release_after=0.5
    ),
    logger=False,
)

if __name__ == "__main__":
    import uvicorn

    from mastra_server import create_app

    uvicorn.run(create_app(mastra), fd=int(sys.argv[1]), log_level="critical")
