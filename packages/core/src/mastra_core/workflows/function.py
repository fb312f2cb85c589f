"""A user's function, and which parts of a run it takes."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import Any

from mastra_core.errors import ConfigError
from mastra_core.schema import dump, hints_of, validate
from mastra_core.workflows.context import StepContext

__all__ = ("Function", "function_of")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Function:
    """A callable of an input, a ``StepContext``, both or neither."""

    function: Callable[..., Any]
    input: Any = Any
    output: Any = Any
    input_name: str = ""
    context_name: str = ""
    awaits: bool = False
    input_first: bool = True

    @property
    def name(self) -> str:
        """What people call it."""
        name = getattr(self.function, "__name__", "") or type(self.function).__name__
        return "condition" if name == "<lambda>" else name

    def bound(self, value: Any, context: StepContext | None) -> Callable[[], Any]:
        """The function with what it takes.

        :raises InvalidInput: when ``value`` does not fit the type it asks for.
        """
        if not self.input_name:
            return functools.partial(self.function, **self._context(context))
        # A step may change what it is given; nobody else's copy may change with it.
        given = dump(value) if self.input is Any else validate(self.input, value)
        if self.input_first:
            return functools.partial(self.function, given, **self._context(context))
        return functools.partial(self.function, context, given)

    async def call(self, value: Any, context: StepContext) -> Any:
        """Call it on the event loop: for what decides, not for what works."""
        answer = self.bound(value, context)()
        return await answer if inspect.isawaitable(answer) else answer

    def _context(self, context: StepContext | None) -> dict[str, Any]:
        return {self.context_name: context} if self.context_name else {}


def function_of(function: Callable[..., Any], *, typed: bool = False) -> Function:
    """What a function takes, by its type hints; an untyped ``context`` is the context too.

    :param typed: an input without a type is a mistake.
    :raises ConfigError: when it takes more than one input, or an untyped one it may not.
    """
    if not callable(function):
        raise ConfigError(f"{function!r} is not a function.", "Pass a function of the last output.")
    hints = hints_of(function) if inspect.isroutine(function) else {}
    names = _names(function)
    contexts = [name for name in names if _is_context(name, hints)]
    inputs = [name for name in names if name not in contexts]
    _check(function, inputs, hints, typed=typed)
    return Function(
        function=function,
        input=hints.get(inputs[0], Any) if inputs else Any,
        output=hints.get("return", Any),
        input_name=inputs[0] if inputs else "",
        context_name=contexts[0] if contexts else "",
        awaits=inspect.iscoroutinefunction(function),
        input_first=names[:1] != contexts[:1],
    )


def _names(function: Callable[..., Any]) -> list[str]:
    """Parameters that are to be filled: a later one with a default is the function's own."""
    try:
        parameters = [*inspect.signature(function).parameters.values()]
    except ValueError:  # bool, str and others like them do not tell
        return ["value"]
    named = [item for item in parameters if item.kind is not item.VAR_KEYWORD]
    return [item.name for item in named[:1]] + [
        item.name for item in named[1:] if item.default is item.empty
    ]


def _is_context(name: str, hints: dict[str, Any]) -> bool:
    hint = hints.get(name)
    return hint is StepContext or (hint is None and name == "context")


def _check(
    function: Callable[..., Any], inputs: list[str], hints: dict[str, Any], *, typed: bool
) -> None:
    name = getattr(function, "__name__", repr(function))
    if len(inputs) > 1:
        raise ConfigError(
            f"The step {name!r} takes {len(inputs)} inputs: {', '.join(inputs)}.",
            "Take one, a dataclass or TypedDict, and a StepContext if it needs one.",
        )
    if typed and inputs and inputs[0] not in hints:
        raise ConfigError(
            f"The input {inputs[0]!r} of step {name!r} has no type.",
            f"Write {inputs[0]}: str, or whatever it is.",
        )
