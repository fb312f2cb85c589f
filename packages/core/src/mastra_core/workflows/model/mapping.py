"""Create a step that builds its output from the previous output and other values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mastra_core.errors import ConfigError, NotFound
from mastra_core.schema import dump
from mastra_core.workflows.model.definition import Step
from mastra_core.workflows.model.function import Function, inspect_function
from mastra_core.workflows.model.step_context import StepContext

__all__ = ("create_mapping_step",)

_Source = Callable[[Any, StepContext], Any]


def create_mapping_step(mapping: Callable[..., Any] | Mapping[str, Any], id: str) -> Step[Any, Any]:
    """Create a mapping step.

    :param mapping: a function, or a source for each field; see ``Workflow.map``.
    :param id: the id of the step.
    :raises ConfigError: for an invalid source.
    """
    if not isinstance(mapping, Mapping):
        if not callable(mapping):
            raise ConfigError(
                f"{mapping!r} is not a mapping.", "Pass a function or a mapping of fields."
            )
        function = inspect_function(mapping)
        return _create_step(id, function.call, function.input, function.output, function.name)
    sources = {field: _build_source(field, source) for field, source in mapping.items()}

    async def collect(value: Any, context: StepContext) -> dict[str, Any]:
        return {field: await source(value, context) for field, source in sources.items()}

    descriptions = (f"{field}: {_describe_source(source)}" for field, source in mapping.items())
    return _create_step(id, collect, Any, dict[str, Any], ", ".join(descriptions))


def _create_step(
    id: str, function: Callable[..., Any], input: Any, output: Any, description: str
) -> Step[Any, Any]:
    call = Function(function=function, input_name="value", context_name="context", awaits=True)
    return Step(
        id=id, call=call, description=description, input=input, output=output, kind="mapping"
    )


def _describe_source(source: Any) -> str:
    """Describe a source without its value, because the value may be secret."""
    if isinstance(source, Step):
        return source.id
    if not isinstance(source, Mapping):
        return inspect_function(source).name
    step = source.get("step", "")
    name = step.id if isinstance(step, Step) else str(step)
    parts = (name or next(iter(source)), source.get("path") or source.get("input") or "")
    return ".".join(map(str, filter(None, parts)))


def _build_source(field: str, source: Any) -> _Source:
    if isinstance(source, Step):
        return _create_reader(lambda _, context: context.output(source.id), "")
    if callable(source):
        return inspect_function(source).call
    if isinstance(source, Mapping):
        return _parse_source(field, source)
    raise ConfigError(
        f"{source!r} is not a valid source for the field {field!r}.",
        "Pass a step, a function or a mapping.",
    )


def _parse_source(field: str, source: Mapping[str, Any]) -> _Source:
    match dict(source):
        case {"step": Step(id=name) | str(name), "path": str(path), **rest} if not rest:
            return _create_reader(lambda _, context: context.output(name), path)
        case {"step": Step(id=name) | str(name), **rest} if not rest:
            return _create_reader(lambda _, context: context.output(name), "")
        case {"input": str(path), **rest} if not rest:
            return _create_reader(lambda _, context: context.init_data, path)
        case {"state": str(path), **rest} if not rest:
            return _create_reader(lambda _, context: dump(context.state), path)
        case {"request_context": str(path), **rest} if not rest:
            return _create_reader(lambda _, context: context.request_context, path)
        case {"value": value, **rest} if not rest:
            return _create_reader(lambda *_: value, "")
    raise ConfigError(
        f"A mapping with {', '.join(map(repr, source))} is not a valid source for the field "
        f"{field!r}.",  # without its values, because they may be secret
        'Write {"step": step, "path": "a.b"}, {"input": "a"}, {"state": "a"}, '
        '{"request_context": "a"} or {"value": 1}.',
    )


def _create_reader(read: _Source, path: str) -> _Source:
    keys = [key for key in path.split(".") if key]

    async def read_path(value: Any, context: StepContext) -> Any:
        item = read(value, context)
        for key in keys:
            item = _get_item(item, key, path)
        return item

    return read_path


def _get_item(value: Any, key: str, path: str) -> Any:
    if isinstance(value, Mapping) and key in value:
        return value[key]
    if isinstance(value, list) and key.isdecimal() and int(key) < len(value):
        return value[int(key)]
    raise NotFound(f"The path {path!r} of a mapping has no value, because {key!r} is missing.")
