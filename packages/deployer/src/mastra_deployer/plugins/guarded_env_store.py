"""A store of variables that checks sizes, and whose errors name the deployer of the store."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from mastra_core.hooks import DatedEnvStore, EnvEffect, EnvStore
from mastra_core.pipeline import Target
from mastra_core.secret import Secret
from mastra_deployer.plugins.untyped_calls import call_plugin
from mastra_deployer.plugins.variable_size import refuse_large_variables

__all__ = ("GuardedEnvStore",)


class GuardedEnvStore:
    """An ``EnvStore`` that wraps another store; unexpected errors become a ``PluginError``.

    :param owner: the deployer's name in errors.
    :param store: the deployer's store.
    :param target: the target, which declares the limits of variables.
    """

    def __init__(self, owner: str, store: EnvStore, target: Target) -> None:
        self._owner, self._store, self._target = owner, store, target

    def list(self) -> Mapping[str, str]:
        """Return the name of each stored variable, with a note about its stages."""
        names: Mapping[str, str] = self._call(lambda: dict(self._store.list()))
        return names

    def set(self, values: Mapping[str, Secret]) -> EnvEffect | None:
        """Create or replace variables, and return when the change takes effect.

        :param values: variable names, mapped to their values.
        :raises DeployError: when a value is larger than the target allows.
        """
        refuse_large_variables(self._target, values)
        effect: EnvEffect | None = self._call(lambda: self._store.set(values))
        return effect

    def unset(self, names: Iterable[str]) -> EnvEffect | None:
        """Remove variables, and return the ``EnvEffect`` that says when the app sees the change.

        :param names: the variables to remove.
        """
        effect: EnvEffect | None = self._call(lambda: self._store.unset(names))
        return effect

    def get_change_time(self) -> dt.datetime | None:
        """Return the time of the last change; ``None`` if the deployer does not know it."""
        if not hasattr(self._store, "get_change_time"):
            return None
        time: dt.datetime | None = self._call(cast("DatedEnvStore", self._store).get_change_time)
        return time

    def _call(self, call: Callable[[], object]) -> Any:
        return call_plugin(self._owner, "mastra_env", call)
