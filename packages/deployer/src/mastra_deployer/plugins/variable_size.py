"""Check the total size of the environment variables against the limit of a target."""

from __future__ import annotations

from collections.abc import Mapping

from mastra_core.errors import DeployError
from mastra_core.pipeline import Problem, Target
from mastra_core.secret import Secret

__all__ = ("check_variable_size", "refuse_large_variables")

_HINT = "Store large values in another place, and load them when the app starts."


def check_variable_size(target: Target, values: Mapping[str, str]) -> list[Problem]:
    """Return an error if the names and values are larger than the target allows.

    :param target: the target, which declares the limit.
    :param values: the app's variables.
    """
    limit = target.limits.variables
    size = sum(len(name.encode()) + len(value.encode()) for name, value in values.items())
    if not limit or size <= limit:
        return []
    message = f"The environment variables have {size:,} bytes, but {target.name!r} allows {limit:,}"
    return [Problem(message=f"{message}.", hint=_HINT)]


def refuse_large_variables(target: Target, values: Mapping[str, Secret]) -> None:
    """Raise an error if a deploy would set more bytes of variables than the target allows.

    :param target: the target, which declares the limit.
    :param values: the variables of the deploy.
    :raises DeployError: naming the size of the variables and the limit.
    """
    revealed = {name: value.reveal() for name, value in values.items()}
    for problem in check_variable_size(target, revealed):
        raise DeployError(problem.message, problem.hint)
