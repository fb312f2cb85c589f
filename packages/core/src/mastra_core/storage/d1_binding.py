"""The binding through which a Worker uses a Cloudflare D1 database."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, Protocol

from mastra_core.errors import ConfigError

__all__ = ("D1Binding", "D1PreparedStatement", "get_binding", "set_environment")

_environment: ContextVar[Any] = ContextVar("environment of the Worker", default=None)


class D1PreparedStatement(Protocol):
    """A prepared statement of D1."""

    def bind(self, *values: Any) -> D1PreparedStatement:
        """Return the statement with its values.

        :param values: the values: texts, numbers, bytes and ``None``.
        """


class D1Binding(Protocol):
    """The part of D1's binding that the storage uses.

    On Cloudflare, the binding is a proxy of the JavaScript object in the Worker's environment.
    """

    def prepare(self, sql: str, /) -> D1PreparedStatement:
        """Return a statement without values.

        :param sql: the text of the statement.
        """

    def batch(self, statements: Sequence[Any], /) -> Awaitable[Any]:
        """Execute statements in one transaction.

        :param statements: the statements.
        :returns: for each statement, an object with ``results``, which maps the columns of each row
            to their values, and ``meta``, which contains ``changes``.
        """


def set_environment(environment: Any) -> None:
    """Set the Worker's environment for the current request.

    The entry of a Worker calls this function in each request, because objects of one request cannot
    be used in another one. If nobody calls this function, bindings come from the environment that
    the module ``cloudflare:workers`` provides for the current request.

    :param environment: the Worker's environment, an object or a mapping that contains the bindings
        by name. Prefer the JavaScript object to the wrapper from Cloudflare's SDK, because the
        wrapper converts each value a second time.
    """
    _environment.set(environment)


def get_binding(name: str) -> D1Binding:
    """Return the D1 binding with a name, for the current request.

    :param name: name of the binding.
    :raises ConfigError: when there is no such binding, or when it is not a D1 database.
    """
    environment = _environment.get()
    if environment is None:
        environment = _import_environment(name)
    is_mapping = isinstance(environment, Mapping)
    binding: Any = environment.get(name) if is_mapping else getattr(environment, name, None)
    if callable(getattr(binding, "prepare", None)):
        found: D1Binding = binding
        return found
    reason = (
        f"The Worker has no binding {name!r}, which the storage 'd1:{name}' needs."
        if binding is None
        else f"The binding {name!r} of the Worker is not a D1 database."
    )
    raise ConfigError(
        reason, f"Bind a D1 database to the Worker as {name}, or name another binding."
    )


def _import_environment(name: str) -> Any:
    if sys.platform == "emscripten":
        try:
            from workers import (
                import_from_javascript,  # type: ignore[import-not-found,unused-ignore]  # Cloudflare's SDK, in Workers only
            )

            return import_from_javascript("cloudflare:workers").env
        except ImportError:
            pass
    raise ConfigError(
        f"The storage 'd1:{name}' works only in a Cloudflare Worker.",
        "Outside of Workers, use another storage, such as "
        'os.environ.get("STORAGE", "sqlite:///app.db"). Or pass an object with the methods of '
        "D1Binding to D1Storage.",
    )
