"""Call an operation on runs, in the database of a project or through a server."""

from __future__ import annotations

import asyncio
from typing import Any, Literal
from urllib.parse import urlsplit

import click

from mastra_core.database import DatabaseUrl
from mastra_core.errors import ConfigError
from mastra_core.migration import RUN_TABLES, read_table_versions
from mastra_core.secret import Secret
from mastra_deployer.cli.database.db import find_database
from mastra_deployer.cli.database.run_responses import check_response
from mastra_deployer.cli.options import Options
from mastra_deployer.project.discovery import find_project
from mastra_deployer.project.environment import read_environment

__all__ = ("RESOURCE", "SERVER_URL", "call_operation")

SERVER_URL = click.option(
    "--url", default="", help="Address of a server to use instead of the database."
)
RESOURCE = click.option(
    "--resource", default="", help="Owner of the run, if several owners have such a run."
)
_TOKEN = "MASTRA_SERVER_TOKEN"  # noqa: S105  # the name of a variable
_OPERATIONS = {  # the HTTP method of each operation, and its path below the prefix of the API
    "list_runs": ("GET", "/workflow-runs"),
    "show_run": ("GET", "/workflow-runs/details"),
    "list_fingerprints": ("GET", "/workflow-runs/fingerprints"),
    "cancel_run": ("POST", "/workflow-runs/cancel"),
    "resume_run": ("POST", "/workflow-runs/resume"),
    "retry_run": ("POST", "/workflow-runs/retry"),
    "move_runs": ("POST", "/workflow-runs/move"),
}
_NAMES = {"run_id": "runId", "workflow": "workflowId", "resource": "resourceId"}
_NO_TOKEN = f"Set {_TOKEN} to a token that Server(auth=...) of the application accepts."
_NO_RUN = (
    "List the runs: mastra runs list. Only a server with a durable engine has such runs, and --url "
    "ends with the prefix of its API, unless the prefix is /api."
)

Operation = Literal[
    "list_runs",
    "show_run",
    "list_fingerprints",
    "cancel_run",
    "resume_run",
    "retry_run",
    "move_runs",
]


def call_operation(options: Options, url: str, operation: Operation, **arguments: Any) -> Any:
    """Call an operation of ``RunOperations``, and return its result.

    :param options: the options of the command.
    :param url: the address of a server; empty for the database of the project.
    :param operation: the name of the operation.
    :param arguments: the arguments of the operation.
    :raises ApiError: when the response of the server has unexpected content.
    :raises ConfigError: when the address is invalid, or when the tables of runs are missing from
        the database or are outdated. A command on runs neither creates a database nor migrates it.
    """
    if url:
        return _call_server(options, url, operation, arguments)
    return asyncio.run(_call_database(options, operation, arguments))


async def _call_database(options: Options, operation: str, arguments: dict[str, Any]) -> Any:
    from mastra_core.workflows.durable.run_management import manage_runs
    from mastra_core.workflows.durable.run_operations import RunOperations

    url = find_database(options)
    await _require_tables(url)
    async with manage_runs(url) as manager:
        return await getattr(RunOperations(manager), operation)(**arguments)


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


def _call_server(options: Options, url: str, operation: str, arguments: dict[str, Any]) -> Any:
    from mastra_deployer.kit.http.connect import connect
    from mastra_deployer.kit.http.response_errors import convert_response_errors

    base_url = _parse_address(url)
    hints: dict[str | int, str] = {401: _NO_TOKEN, 403: _NO_TOKEN, 404: _NO_RUN}
    method, path = _OPERATIONS[operation]
    named = {_NAMES.get(name, name): value for name, value in arguments.items()}
    sent: dict[str, Any] = {"params": named} if method == "GET" else {"json": named}
    with (
        convert_response_errors("the server"),
        # The command line names the host, so its user has given the consent.
        connect(
            base_url, _read_token(options), name="The server", hints=hints, consent=False
        ) as client,
    ):
        response = client.request(method, f"{base_url}{path}", **sent).json()
        return check_response(operation, response)


def _parse_address(url: str) -> str:
    """Return the URL of the server's API; add the path ``/api`` if the URL has no path."""
    try:
        parts = urlsplit(url)
        is_valid = parts.port != 0  # ``port`` raises an error for an invalid port
    except ValueError:
        parts, is_valid = urlsplit(""), False
    is_valid = is_valid and parts.scheme in ("http", "https") and bool(parts.hostname)
    if not is_valid or parts.query or parts.fragment:
        raise ConfigError(
            f"--url {url!r} is not the address of a server.", "Write --url https://app.example.com"
        )
    if parts.username or parts.password:
        raise ConfigError("--url contains a password.", _NO_TOKEN)
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/') or '/api'}"


def _read_token(options: Options) -> Secret | None:
    project = find_project(options.directory, options.app, sources=False)
    token = read_environment(project, options.env_file).get(_TOKEN)
    return Secret(token) if token else None
