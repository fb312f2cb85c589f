"""Copy the values of variables from a Worker's bindings to the process environment.

The values exist only while the Worker handles a request. If the app reads a value while it is
imported, the value is missing, and the snapshot of the Worker keeps the result, such as a default.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, MutableMapping

__all__ = ("copy_variables",)


def copy_variables(
    names: Iterable[str], bindings: object, environment: MutableMapping[str, str] = os.environ
) -> None:
    """Copy every named binding that is a text, and remove variables whose binding is missing.

    :param names: names of the variables.
    :param bindings: the object ``env`` of the request, which has the bindings.
    :param environment: the mapping to which the values are copied.
    """
    for name in names:
        value = getattr(bindings, name, None)
        if isinstance(value, str):
            if environment.get(name) != value:
                environment[name] = value
        elif name in environment:
            del environment[name]
