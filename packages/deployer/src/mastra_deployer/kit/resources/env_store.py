"""A store of an app's variables that opens a client for each call."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Generic, TypeVar

from mastra_core.hooks import DatedEnvStore, EnvEffect, EnvStore
from mastra_core.secret import Secret

__all__ = ("env_store",)

C = TypeVar("C")


def env_store(
    open_client: Callable[[], AbstractContextManager[C]],
    get_variables: Callable[[C], EnvStore],
    *,
    create: Callable[[C], object] | None = None,
) -> EnvStore:
    """Return a store for ``mastra_env`` that opens a client for each call.

    :param open_client: opens a client; it is called for each use of the store.
    :param get_variables: returns the store for an open client; a deploy may use this store too.
    :param create: called before variables are set, to create the resource that stores them.
    """
    return _ClosedStore(open_client, get_variables, create)


class _ClosedStore(Generic[C]):
    """An ``EnvStore`` that opens a client for each call and then closes it."""

    def __init__(
        self,
        open_client: Callable[[], AbstractContextManager[C]],
        get_variables: Callable[[C], EnvStore],
        create: Callable[[C], object] | None,
    ) -> None:
        self._open_client = open_client
        self._get_variables = get_variables
        self._create = create

    def list(self) -> Mapping[str, str]:
        """Return the name of each variable, with a note about its stages."""
        with self._open_client() as client:
            return self._get_variables(client).list()

    def set(self, values: Mapping[str, Secret]) -> EnvEffect | None:
        """Create or replace variables.

        :param values: values by name.
        :returns: when the change takes effect; ``None`` if unknown.
        """
        with self._open_client() as client:
            if self._create is not None:
                self._create(client)
            return self._get_variables(client).set(values)

    def unset(self, names: Iterable[str]) -> EnvEffect | None:
        """Remove variables.

        :param names: names of the variables; unknown names are ignored.
        :returns: when the change takes effect; ``None`` if unknown.
        """
        with self._open_client() as client:
            return self._get_variables(client).unset(names)

    def get_change_time(self) -> dt.datetime | None:
        """Return the time of the last change; ``None`` if the platform does not know it."""
        with self._open_client() as client:
            variables = self._get_variables(client)
            return variables.get_change_time() if isinstance(variables, DatedEnvStore) else None
