"""Check the types of arguments, so that a wrong type is reported with a cure."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from os import PathLike
from typing import Any

from mastra_core.errors import ConfigError, MastraError

__all__ = ("check_types", "refuse_text", "require_instance")

_LIST = "a list: {name}=[...]"
_MAPPING = 'a mapping: {name}={{"name": ...}}'
# By the name in an annotation: the types of a valid value, and what the hint of the error offers.
_KINDS: dict[str, tuple[tuple[Any, ...], str]] = {
    "str": ((str,), 'text: {name}="..."'),
    "bytes": ((bytes,), 'bytes: {name}=b"..."'),
    "bool": ((bool,), "True or False: {name}=True"),
    "int": ((int,), "an integer: {name}=1"),
    "float": ((int, float), "a number: {name}=1.5"),
    "Sequence": ((Sequence, AbstractSet), _LIST),
    "tuple": ((Sequence, AbstractSet), _LIST),
    "Mapping": ((Mapping,), _MAPPING),
    "dict": ((Mapping,), _MAPPING),
    "Collection": ((Collection,), _LIST),
    "Callable": ((Callable,), "a function: {name}=..."),
    "os.PathLike": ((PathLike,), 'a path: {name}=Path("...")'),
}
_UNION = re.compile(r" \| (?![^\[]*\])")  # outside of brackets
_LISTS_OF_TEXT = ("Collection[str]", "Sequence[str]", "tuple[str, ...]")


def check_types(
    values: Mapping[str, Any],
    annotations: Mapping[str, Any],
    error: type[MastraError] = ConfigError,
) -> None:
    """Raise an error if a value does not fit its annotation.

    Only annotations of texts, numbers, lists, mappings, functions and unions of these are checked.
    A value with any other annotation is accepted.

    :param values: the values by name.
    :param annotations: the annotations by name, as texts.
    :param error: the class of the error.
    :raises MastraError: for the first value that does not fit.
    """
    for name, value in values.items():
        if name in annotations and (kinds := _parse_annotation(annotations[name])):
            _check_type(name, value, kinds, error)


def _check_type(name: str, value: Any, kinds: tuple[str, ...], error: type[MastraError]) -> None:
    kind = next((each for each in kinds if _is_of_kind(value, each)), None)
    if kind is None:
        offers = [_KINDS[_get_name(each)][1] for each in kinds if each != "None"]
        raise error(
            f"The argument {name!r} has the wrong type {type(value).__name__!r}.",
            f"Pass {' or '.join(offers).format(name=name)}.",
        )
    for item in value if kind in _LISTS_OF_TEXT else ():
        if not isinstance(item, str):
            raise error(
                f"The list {name!r} contains {item!r}, which is not text.",
                f'Write only texts: {name}=["..."].',
            )


def _is_of_kind(value: Any, kind: str) -> bool:
    if value is None or kind == "None":
        return value is None and kind == "None"
    name = _get_name(kind)
    if isinstance(value, bool):  # which is also an integer
        return name == "bool"
    if isinstance(value, str | bytes):  # which are also sequences
        return name in ("str", "bytes") and isinstance(value, _KINDS[name][0])
    return isinstance(value, _KINDS[name][0])


@functools.cache
def _parse_annotation(annotation: Any) -> tuple[str, ...]:
    """Return the kinds of values that an annotation allows; empty if one of them is unknown."""
    kinds = tuple(_UNION.split(annotation)) if isinstance(annotation, str) else ()
    is_known = all(kind == "None" or _get_name(kind) in _KINDS for kind in kinds)
    return kinds if is_known else ()


def _get_name(kind: str) -> str:
    return kind.partition("[")[0]


def require_instance(value: Any, type_: type, name: str) -> None:
    """Raise an error if an argument is not an instance of a class.

    :param value: the argument.
    :param type_: the class.
    :param name: the name of the argument.
    :raises ConfigError: for any other type.
    """
    if not isinstance(value, type_):
        raise ConfigError(
            f"The argument {name!r} has the wrong type {type(value).__name__!r}.",
            f"Pass an object of the class: {name}={type_.__name__}(...).",
        )


def refuse_text(value: Any, name: str, owner: str) -> None:
    """Raise an error for text in place of a collection of texts.

    Without this check, a text would pass as a list of its characters, and ``in`` would search it
    for substrings.

    :param value: the argument.
    :param name: the name of the argument.
    :param owner: the class that has the argument.
    :raises ConfigError: for text.
    """
    if isinstance(value, str):
        raise ConfigError(
            f"{name}={value!r} is text, but {owner} needs a list.",
            f"Write {name}={value.split()!r}.",
        )
