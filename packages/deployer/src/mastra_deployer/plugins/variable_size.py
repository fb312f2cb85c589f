"""Check the sizes of the environment variables against the limits of a target."""

from __future__ import annotations

from collections.abc import Mapping

from mastra_core.errors import DeployError
from mastra_core.pipeline import Problem, Target
from mastra_core.secret import Secret

__all__ = ("check_variable_size", "refuse_large_variables")

_HINT = "Store large values in another place, and load them when the app starts."


def check_variable_size(target: Target, values: Mapping[str, str]) -> list[Problem]:
    """Return an error for each value, and for all names and values, that the target does not allow.

    :param target: the target, which declares the limits.
    :param values: the app's variables.
    """
    limits = target.limits
    sizes = {name: len(value.encode()) for name, value in values.items()}
    messages = [
        f"The value of {name} has {size:,} bytes, but {target.name!r} allows {limits.variable:,} "
        "for each variable."
        for name, size in sizes.items()
        if limits.variable and size > limits.variable
    ]
    total = sum(len(name.encode()) + size for name, size in sizes.items())
    if limits.variables and total > limits.variables:
        messages.append(
            f"The environment variables have {total:,} bytes, but {target.name!r} allows "
            f"{limits.variables:,}."
        )
    return [Problem(message=message, hint=_HINT) for message in messages]


def refuse_large_variables(target: Target, values: Mapping[str, Secret]) -> None:
    """Raise an error if a deploy would set larger variables than the target allows.

    :param target: the target, which declares the limits.
    :param values: the variables of the deploy.
    :raises DeployError: naming the size of a value, or of all variables, and the limit.
    """
    revealed = {name: value.reveal() for name, value in values.items()}
    for problem in check_variable_size(target, revealed):
        raise DeployError(problem.message, problem.hint)
