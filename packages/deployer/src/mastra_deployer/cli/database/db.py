"""``mastra db`` migrates the tables of a database, and shows their versions."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click

from mastra_core.database import DatabaseUrl, read_database_url
from mastra_core.migration import TableVersion, migrate_database, read_table_versions
from mastra_deployer.cli.options import ENV_FILE, CommandGroup, Options, project_options
from mastra_deployer.cli.terminal import Terminal
from mastra_deployer.project.discovery import find_project
from mastra_deployer.project.environment import read_environment

__all__ = ("db", "find_database")


@click.group(cls=CommandGroup)
def db() -> None:
    """Migrate the tables of the database that MASTRA_DATABASE_URL names.

    The URL comes from the environment, --env-file and .env. The URL never comes from the command
    line, because other users of the machine could read the password in it. Without a URL, the
    database is the file mastra.db in the project's directory.
    """


@db.command("migrate")
@ENV_FILE
@project_options
def migrate_tables(options: Options) -> None:
    """Create the tables, or migrate them to the newest version.

    Servers also migrate the tables when they start. If several processes migrate together, one of
    them migrates and the others wait.
    """
    with Terminal(as_json=options.as_json) as terminal:
        url = find_database(options)
        before = asyncio.run(read_table_versions(url))
        asyncio.run(migrate_database(url))
        changed = [each for each in before if each.version < each.newest]
        terminal.answer(
            {"database": url.display, "migrated": [_to_json(each) for each in changed]},
            url.display,
            *(
                map(_describe_change, changed)
                if changed
                else ["The tables have the newest version."]
            ),
        )


@db.command("status")
@ENV_FILE
@project_options
def show_status(options: Options) -> None:
    """Show the versions of the tables, and change nothing."""
    with Terminal(as_json=options.as_json) as terminal:
        url = find_database(options)
        tables = asyncio.run(read_table_versions(url))
        terminal.answer(
            {"database": url.display, "tables": [_to_json(each) for each in tables]},
            url.display,
            *(f"{each.name}: {_describe_version(each)}" for each in tables),
        )


def find_database(options: Options) -> DatabaseUrl:
    """Return the database of a project; a relative path starts at the project's directory.

    :param options: the options of the command.
    :raises ConfigError: when the URL is invalid.
    """
    project = find_project(options.directory, options.app, sources=False)
    url = read_database_url(read_environment(project, options.env_file))
    if url.kind == "postgresql" or url.path == ":memory:" or Path(url.path).is_absolute():
        return url
    path = str(project.root / url.path)
    return DatabaseUrl("sqlite", path=path, url=url.reveal(), display=url.display)


def _to_json(table: TableVersion) -> dict[str, Any]:
    return {"name": table.name, "version": table.version, "newest": table.newest}


def _describe_change(table: TableVersion) -> str:
    if table.version == 0:
        return f"{table.name}: created in version {table.newest}"
    return f"{table.name}: migrated from version {table.version} to {table.newest}"


def _describe_version(table: TableVersion) -> str:
    if table.version == 0:
        return "no tables. Run: mastra db migrate"
    if table.version < table.newest:
        return f"version {table.version}, newest is {table.newest}. Run: mastra db migrate"
    if table.version > table.newest:
        return f"version {table.version} of a newer mastra, which this mastra does not know"
    return f"version {table.version}"
