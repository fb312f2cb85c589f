"""Calls that type checkers must refuse, though Python would try them; nothing here is executed.

The ignores say which error is expected: a checker reports those that are not needed.
"""

from __future__ import annotations

from mastra_core import Mastra, StepContext, Telemetry, create_logger
from tests.typing.chains import agent, ask, double, find


async def tools() -> None:
    find(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # a number is no text
    find("Emma", most=3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # no such parameter
    text: str = find("Emma")  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]  # it returns a list
    await ask("When?")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # called as it is, it needs the context
    print(text)


async def agents() -> None:
    await agent.generate("Hello", max_step=3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # the option is max_steps
    await agent.generate("Hello", max_steps="3")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # a text is no number


def outputs(context: StepContext) -> str:
    return context.output(double)  # type: ignore[return-value]  # pyright: ignore[reportReturnType]  # it gave a number


def settings() -> None:
    Mastra(workflows={"double": double})  # type: ignore[dict-item]  # pyright: ignore[reportArgumentType]  # a step is no workflow
    Mastra(telemetry=Telemetry(name="shop"))  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # the setting is service_name
    create_logger(format="xml")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # there is no such format
