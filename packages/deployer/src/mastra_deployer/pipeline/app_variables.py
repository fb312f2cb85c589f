"""Select the values of the app's declared variables."""

from __future__ import annotations

from collections.abc import Mapping

from mastra_core.errors import ConfigError
from mastra_core.pipeline import Environment, Project
from mastra_core.secret import Secret

__all__ = ("select_app_variables",)


def select_app_variables(
    environment: Environment, values: Mapping[str, str], project: Project | None = None
) -> dict[str, Secret]:
    """Return the app's declared variables that have a value, as secrets.

    :param environment: the variables of ``[tool.mastra.env]``.
    :param values: every known environment variable.
    :param project: the project whose code is searched, so that the error says where a missing
        variable is read.
    :raises ConfigError: when a required variable has no value.
    """
    missing = [name for name in environment.required if not values.get(name, "").strip()]
    if missing:
        from mastra_deployer.checks.variable_locations import locate_variables  # for the error only

        locations = locate_variables(project, missing) if project else {}
        reads = [f"{name} is read in {', '.join(where)}." for name, where in locations.items()]
        hint = "Set them, or put them in .env. The app declares them in [tool.mastra.env]."
        raise ConfigError(
            f"Required environment variables are not set: {', '.join(missing)}.",
            "\n".join([hint, *reads]),
        )
    names = [name for name in environment.names if values.get(name, "").strip()]
    return {name: Secret(values[name]) for name in names}
