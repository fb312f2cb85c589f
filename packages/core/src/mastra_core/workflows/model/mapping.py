"""The step that makes the next input out of what is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mastra_core.errors import ConfigError, NotFound
from mastra_core.schema import dump
from mastra_core.workflows.model.function import Function, inspect_function
from mastra_core.workflows.model.step import Step
from mastra_core.workflows.model.step_context import StepContext

__all__ = ("mapping_step",)

_Source = Callable[[Any, StepContext], Any]


def mapping_step(mapping: Callable[..., Any] | Mapping[str, Any], id: str) -> Step[Any, Any]:
    """A step that maps.

    :raises ConfigError: for a source that means nothing.
    """
    if not isinstance(mapping, Mapping):
        if not callable(mapping):
            raise ConfigError(f"{mapping!r} maps nothing.", "Pass a function or a mapping.")
        made = inspect_function(mapping)
        return _step(id, made.call, made.input, made.output, made.name)
    sources = {field: _source(field, source) for field, source in mapping.items()}

    async def collect(value: Any, context: StepContext) -> dict[str, Any]:
        return {field: await source(value, context) for field, source in sources.items()}

    told = ", ".join(f"{field}: {_told(source)}" for field, source in mapping.items())
    return _step(id, collect, Any, dict[str, Any], told)


def _step(
    id: str, function: Callable[..., Any], input: Any, output: Any, told: str
) -> Step[Any, Any]:
    call = Function(function=function, input_name="value", context_name="context", awaits=True)
    return Step(id=id, call=call, description=told, input=input, output=output, kind="mapping")


def _told(source: Any) -> str:
    """A source in a few words; values may be secret, so they are not among them."""
    if isinstance(source, Step):
        return source.id
    if not isinstance(source, Mapping):
        return inspect_function(source).name
    step = source.get("step", "")
    name = step.id if isinstance(step, Step) else str(step)
    parts = (name or next(iter(source)), source.get("path") or source.get("input") or "")
    return ".".join(map(str, filter(None, parts)))


def _source(field: str, source: Any) -> _Source:
    if isinstance(source, Step):
        return _reading(lambda _, context: context.output(source.id), "")
    if callable(source):
        return inspect_function(source).call
    if isinstance(source, Mapping):
        return _described(field, source)
    raise ConfigError(
        f"The source of {field!r} is {source!r}.", "Pass a step, a function or a mapping."
    )


def _described(field: str, source: Mapping[str, Any]) -> _Source:
    match dict(source):
        case {"step": Step(id=name) | str(name), **more} if set(more) <= {"path"}:
            return _reading(lambda _, context: context.output(name), more.get("path", ""))
        case {"input": path, **nothing} if not nothing:
            return _reading(lambda _, context: context.init_data, path)
        case {"state": path, **nothing} if not nothing:
            return _reading(lambda _, context: dump(context.state), path)
        case {"request_context": path, **nothing} if not nothing:
            return _reading(lambda _, context: context.request_context, path)
        case {"value": value, **nothing} if not nothing:
            return _reading(lambda *_: value, "")
    raise ConfigError(
        f"The source of {field!r} is {dict(source)!r}.",
        'Write {"step": step, "path": "a.b"}, {"input": "a"}, {"state": "a"}, '
        '{"request_context": "a"} or {"value": 1}.',
    )


def _reading(read: _Source, path: str) -> _Source:
    keys = [key for key in path.split(".") if key]

    async def source(value: Any, context: StepContext) -> Any:
        found = read(value, context)
        for key in keys:
            found = _item(found, key, path)
        return found

    return source


def _item(value: Any, key: str, path: str) -> Any:
    if isinstance(value, Mapping) and key in value:
        return value[key]
    if isinstance(value, list) and key.isdecimal() and int(key) < len(value):
        return value[int(key)]
    raise NotFound(f"There is nothing at {path!r}: {key!r} is missing.")
