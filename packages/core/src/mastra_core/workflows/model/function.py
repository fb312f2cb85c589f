"""Inspect and call a function of the user, which takes an input, a context, both or neither."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import Any

from mastra_core.arguments.function_parameters import get_signature
from mastra_core.errors import ConfigError
from mastra_core.schema import dump, refuse_generator, resolve_hints, validate_named
from mastra_core.workflows.model.step_context import StepContext

__all__ = ("Function", "inspect_function")

_CONTEXT_TYPES: tuple[Any, ...] = (StepContext, StepContext | None)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Function:
    """A callable that takes an input, a ``StepContext``, both or neither.

    :param function: the callable.
    :param input: the type of the input.
    :param output: the type of the result.
    :param input_name: the name of the parameter for the input; empty if the function takes no
        input.
    :param context_name: the name of the parameter for the context; empty if the function takes no
        context.
    :param awaits: whether the callable is a coroutine function.
    :param input_first: whether the parameter for the input precedes the parameter for the context.
    """

    function: Callable[..., Any]
    input: Any = Any
    output: Any = Any
    input_name: str = ""
    context_name: str = ""
    awaits: bool = False
    input_first: bool = True

    @property
    def name(self) -> str:
        """The name of the function; ``condition`` for a lambda."""
        name = getattr(self.function, "__name__", "") or type(self.function).__name__
        return "condition" if name == "<lambda>" else name

    def bind(self, value: Any, context: StepContext | None, user: str) -> Callable[[], Any]:
        """Bind the function to the arguments that it takes.

        :param value: the input.
        :param context: the context; may be ``None`` if the function takes none.
        :param user: what the function belongs to, for the message of an error: ``step 'pay'``.
        :returns: a callable without parameters.
        :raises InvalidInput: when ``value`` does not fit the type of the input.
        """
        if not self.input_name:
            return functools.partial(self.function, **self._build_context_argument(context))
        # The function may change its input, so it gets a copy.
        if self.input is Any:
            given = dump(value)
        else:
            given = validate_named(f"input of {user}", self.input, value)
        if self.input_first:
            return functools.partial(self.function, given, **self._build_context_argument(context))
        return functools.partial(self.function, context, given)

    async def call(self, value: Any, context: StepContext) -> Any:
        """Call the function on the event loop; conditions and mappings are called in this way.

        :param value: the input.
        :param context: the context.
        :raises InvalidInput: when ``value`` does not fit the type of the input.
        """
        result = self.bind(value, context, repr(self.name))()
        return await result if inspect.isawaitable(result) else result

    def _build_context_argument(self, context: StepContext | None) -> dict[str, Any]:
        return {self.context_name: context} if self.context_name else {}


def inspect_function(function: Callable[..., Any], *, require_types: bool = False) -> Function:
    """Determine the arguments of a function from its type hints.

    A parameter is the context if its type is ``StepContext``, or if it is called ``context`` and
    has no type.

    :param function: the function.
    :param require_types: whether the input must have a type.
    :raises ConfigError: when the function takes more than one input or a keyword-only input, or
        when ``require_types`` is set and the input has no type or the function is a generator.
    """
    if not callable(function):
        raise ConfigError(
            f"{function!r} is not a function.", "Pass a function that takes the previous output."
        )
    hints = resolve_hints(function) if inspect.isroutine(function) else {}
    if require_types:
        refuse_generator(function)
    names = _list_parameters(function, hints)
    contexts = [name for name in names if _is_context(name, hints)]
    inputs = [name for name in names if name not in contexts]
    _check_inputs(function, inputs, hints, require_types=require_types)
    return Function(
        function=function,
        input=hints.get(inputs[0], Any) if inputs else Any,
        output=hints.get("return", Any),
        input_name=inputs[0] if inputs else "",
        context_name=contexts[0] if contexts else "",
        awaits=inspect.iscoroutinefunction(function),
        input_first=names[:1] != contexts[:1],
    )


def _list_parameters(function: Callable[..., Any], hints: dict[str, Any]) -> list[str]:
    """List the parameters that get an argument: the first, contexts, and all without a default."""
    try:
        parameters = [*get_signature(function).parameters.values()]
    except ValueError:  # builtins such as bool and str have no signature
        return ["value"]
    candidates = [item for item in parameters if item.kind is not item.VAR_KEYWORD]
    return [item.name for item in candidates[:1]] + [
        item.name
        for item in candidates[1:]
        if item.default is item.empty or hints.get(item.name) in _CONTEXT_TYPES
    ]


def _is_context(name: str, hints: dict[str, Any]) -> bool:
    hint = hints.get(name)
    return hint in _CONTEXT_TYPES or (hint is None and name == "context")


def _is_keyword_only(function: Callable[..., Any], name: str) -> bool:
    try:
        parameter = get_signature(function).parameters[name]
    except (KeyError, ValueError):  # a builtin without a signature
        return False
    return parameter.kind is parameter.KEYWORD_ONLY


def _check_inputs(
    function: Callable[..., Any], inputs: list[str], hints: dict[str, Any], *, require_types: bool
) -> None:
    name = getattr(function, "__name__", repr(function))
    if len(inputs) > 1:
        raise ConfigError(
            f"The step {name!r} takes {len(inputs)} inputs: {', '.join(inputs)}.",
            "Give the function one input, such as a dataclass or TypedDict, and optionally a "
            "StepContext.",
        )
    if inputs and _is_keyword_only(function, inputs[0]):
        raise ConfigError(
            f"The input {inputs[0]!r} of step {name!r} is keyword-only.",
            "Remove the '*' before the input from the signature.",
        )
    if require_types and inputs and inputs[0] not in hints:
        raise ConfigError(
            f"The input {inputs[0]!r} of step {name!r} has no type.",
            f"Add the type of the input, for example: {inputs[0]}: str",
        )
