"""A deployer's store of variables, whose errors are raised as those of the deployer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from mastra_core.hooks import EnvStore
from mastra_core.secret import Secret
from mastra_deployer.plugins.untyped_calls import call_plugin

__all__ = ("GuardedEnvStore",)


class GuardedEnvStore:
    """An ``EnvStore`` that calls another one; unexpected exceptions become a ``PluginError``.

    :param owner: the deployer's name in errors.
    :param store: the deployer's store.
    """

    def __init__(self, owner: str, store: EnvStore) -> None:
        self._owner, self._store = owner, store

    def list(self) -> Mapping[str, str]:
        """Return the stored variables: names, mapped to where they apply."""
        names: Mapping[str, str] = self._call(lambda: dict(self._store.list()))
        return names

    def set(self, values: Mapping[str, Secret]) -> None:
        """Create or replace variables.

        :param values: variable names, mapped to their values.
        """
        self._call(lambda: self._store.set(values))

    def unset(self, names: Iterable[str]) -> None:
        """Remove variables.

        :param names: the variables to remove.
        """
        self._call(lambda: self._store.unset(names))

    def _call(self, call: Callable[[], object]) -> Any:
        return call_plugin(self._owner, "mastra_env", call)
