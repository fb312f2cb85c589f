"""Use the runs in the database of a project."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from mastra_core.database import DatabaseUrl
from mastra_core.errors import ConfigError
from mastra_core.migration import RUN_TABLES, read_table_versions
from mastra_core.workflows.durable.run_management import RunManager, manage_runs
from mastra_deployer.cli.database.db import find_database
from mastra_deployer.cli.options import Options

__all__ = ("call_manager",)


def call_manager(options: Options, work: Callable[[RunManager], Awaitable[Any]]) -> Any:
    """Call a function with the manager of the runs in the database of the project.

    :param options: the options of the command.
    :param work: the function.
    :returns: the result of the function.
    :raises ConfigError: when the database has no tables of runs, or older ones. A command on runs
        neither creates a database nor migrates it.
    """

    async def run() -> Any:
        url = find_database(options)
        await _require_tables(url)
        async with manage_runs(url) as manager:
            return await work(manager)

    return asyncio.run(run())


async def _require_tables(url: DatabaseUrl) -> None:
    (tables,) = (each for each in await read_table_versions(url) if each.name == RUN_TABLES)
    name = url.path or url.display
    if tables.version == 0:
        raise ConfigError(
            f"The database {name!r} does not exist, or has no durable runs.",
            "Set MASTRA_DATABASE_URL to the database of the servers, or run this command in their "
            "project. A server creates the tables when it starts.",
        )
    if tables.version < tables.newest:
        raise ConfigError(
            f"The tables of runs in {name!r} have the version {tables.version}, but this mastra "
            f"needs {tables.newest}.",
            "Run: mastra db migrate. Servers with an older mastra then refuse to start.",
        )
