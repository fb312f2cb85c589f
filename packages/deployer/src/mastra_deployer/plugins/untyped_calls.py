"""Call hooks by name, and check their results."""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar, cast

import pluggy

from mastra_core.errors import ConfigError, MastraError, PluginError
from mastra_core.pipeline import Problem, Report, Target
from mastra_deployer.plugins.manager import list_implemented_hooks
from mastra_deployer.project.termination import Termination

__all__ = ("UntypedHookCaller", "call_plugin", "check_item")

T = TypeVar("T")


class UntypedHookCaller:
    """Calls the hooks of one deployer and of all ambient plugins by name.

    A subclass sets ``_name``, ``_deployer``, ``_plugins`` and ``target``.
    """

    _name: str
    _deployer: pluggy.PluginManager
    _plugins: pluggy.PluginManager
    target: Target

    def has_hook(self, verb: str) -> bool:
        """Return whether the deployer implements a hook.

        :param verb: the hook's name without ``mastra_`` (``deploy``).
        """
        return list_implemented_hooks(self._deployer).get(f"mastra_{verb}", False)

    def require_hook(self, verb: str) -> None:
        """Raise an error if the deployer does not implement a hook.

        :param verb: the hook's name without ``mastra_`` (``deploy``).
        :raises ConfigError: when the deployer does not implement the hook.
        """
        if not self.has_hook(verb):
            raise ConfigError(
                f"The target {self.target.name!r} does not support {verb!r}.",
                self.target.alternatives.get(verb)
                or "`mastra targets` shows which commands each target supports.",
            )

    def _call_deployer(self, hook: str, kind: type[T], **arguments: Any) -> T:
        if hook != "mastra_build":
            self.require_hook(hook.removeprefix("mastra_"))
        call = getattr(self._deployer.hook, hook)
        result = call_plugin(self._name, hook, functools.partial(call, **arguments))
        if result is None or not isinstance(result, kind):
            raise PluginError(
                f"The hook {hook} of the deployer {self._name!r} returned {type(result).__name__}.",
                f"The hook must return a {kind.__name__}. See docs/hooks.md.",
            )
        return result

    def _call_for_iterable(self, hook: str, **arguments: Any) -> Iterable[Any]:
        """Call a hook that returns an iterable; reading it may contact the platform."""
        return cast("Iterable[Any]", self._call_deployer(hook, object, **arguments))

    def _call_for_list(self, hook: str, kind: type[T], **arguments: Any) -> list[T]:
        """Call a hook of the deployer, and read all items of its iterable."""
        return self._read_items(self._name, hook, kind, self._call_for_iterable(hook, **arguments))

    def _collect_problems(self, hook: str, **arguments: Any) -> list[Problem]:
        """Call a hook of the deployer and of all plugins, and read all items of their results."""
        problems = []
        for owner, call in (
            (self._name, getattr(self._deployer.hook, hook)),
            *self._iter_plugin_calls(hook),
        ):
            results = call_plugin(owner, hook, functools.partial(call, **arguments))
            for result in results:
                problems += self._read_items(owner, hook, Problem, result)
        return problems

    def _read_items(self, owner: str, hook: str, kind: type[T], items: Iterable[object]) -> list[T]:
        """Read a hook's iterable; the code of a generator runs only during this read."""
        result = call_plugin(owner, hook, lambda: list(items))
        return [check_item(owner, hook, kind, item) for item in result]

    def _notify_stage_finished(self, stage: str, result: object, report: Report) -> None:
        self._notify_plugins("mastra_stage_finished", report, stage=stage, result=result)

    def _notify_plugins(self, hook: str, report: Report, **arguments: Any) -> None:
        """Notify each plugin of finished work; show a failure of a plugin as a warning."""
        for owner, call in self._iter_plugin_calls(hook):
            try:
                call_plugin(owner, hook, functools.partial(call, **arguments))
            except Exception as error:  # noqa: BLE001  # a listener may raise anything
                text = error.message if isinstance(error, MastraError) else str(error)
                report.warn(
                    text if isinstance(error, PluginError) else f"{hook} of {owner} failed: {text}",
                    "The build or deployment itself is complete. Report this to the plugin's "
                    "author.",
                )

    def _iter_plugin_calls(self, hook: str) -> Iterator[tuple[str, Callable[..., Any]]]:
        """Yield the name of each ambient plugin with the hook, and a function that calls its hook.

        pluggy would call the hook of all plugins at once, and stop after the first failure.
        """
        manager = self._plugins
        implementations = reversed(getattr(manager.hook, hook).get_hookimpls())  # pluggy's order
        for owner, plugin in {item.plugin_name: item.plugin for item in implementations}.items():
            others = [item for item in manager.get_plugins() if item is not plugin]
            yield owner, manager.subset_hook_caller(hook, others)


def call_plugin(owner: str, hook: str, call: Callable[[], Any]) -> Any:
    """Call a plugin, and convert its unexpected exceptions to ``PluginError``.

    :param owner: the plugin's name in errors.
    :param hook: the hook's name in errors.
    :param call: calls the hook.
    :raises PluginError: for every exception except Mastra's own errors and ``OSError``. A
        ``SystemExit`` is converted, too, because it would end the command without an error.
    """
    try:
        with contextlib.redirect_stdout(sys.stderr):  # stdout is for the command's own output
            return call()
    except (MastraError, OSError, Termination):  # a full disk is not a defect of the plugin
        raise
    except (Exception, SystemExit) as error:
        raise PluginError(
            f"{hook} of {owner} failed: {type(error).__name__}: {error}.",
            "Report this to the plugin's author. With -v, the command shows the traceback.",
        ) from error


def check_item(owner: str, hook: str, kind: type[T], item: object) -> T:
    """Return one item of a hook's iterable, after a check of its type.

    :param owner: the plugin's name in errors.
    :param hook: the hook's name in errors.
    :param kind: the class that the item must have.
    :param item: the item.
    :raises PluginError: when the item has another class.
    """
    if not isinstance(item, kind):
        raise PluginError(
            f"{hook} of {owner} returned an iterable that contains a {type(item).__name__}.",
            f"Every item must be a {kind.__name__}. See docs/hooks.md.",
        )
    return item
