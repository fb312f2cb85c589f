"""Use the runs in the database of a project."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from mastra_core.workflows.durable.run_management import RunManager, manage_runs
from mastra_deployer.cli.database.db import find_database
from mastra_deployer.cli.options import Options

__all__ = ("call_manager",)


def call_manager(options: Options, work: Callable[[RunManager], Awaitable[Any]]) -> Any:
    """Call a function with the manager of the runs in the database of the project.

    :param options: the options of the command.
    :param work: the function.
    :returns: the result of the function.
    """

    async def run() -> Any:
        async with manage_runs(find_database(options)) as manager:
            return await work(manager)

    return asyncio.run(run())
