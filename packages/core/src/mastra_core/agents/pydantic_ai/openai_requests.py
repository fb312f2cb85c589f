"""Make OpenAI's SDK spend less time on each request to a model."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import Any, get_args

from openai import AsyncStream, BaseModel
from pydantic import create_model
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel

from mastra_core.agents.pydantic_ai.openai_objects import UnexpectedShape, build_object

__all__ = ("accelerate_client",)

# The SDK reads these arguments itself, or they are no part of the body.
_SDK_ARGUMENTS = frozenset(
    ("model", "stream", "timeout", "extra_headers", "extra_query", "extra_body")
)
_JSON_TYPES = frozenset((str, int, float, bool, list, dict))
_REQUIRED = "messages"


def accelerate_client(model: OpenAIChatModel | OpenAIResponsesModel) -> None:
    """Make the client of a model do less work for each request, and for each chunk of a stream.

    The SDK still sends the requests, repeats them, reads the events of a stream and raises errors.

    :param model: a model whose client no other code uses.
    """
    client = model.client
    request = functools.partial(_request, client.request)
    client.request = request  # type: ignore[method-assign]  # of this object only
    is_chat = isinstance(model, OpenAIChatModel)
    resource: Any = client.chat.completions if is_chat else client.responses
    resource.create = functools.partial(_create, resource.create)


async def _create(create: Callable[..., Awaitable[Any]], **options: Any) -> Any:
    """Create a completion or a response; pass most arguments as ``extra_body``.

    The SDK compares each of its own arguments with the argument's type, at every level, to convert
    it to JSON. The arguments of pydantic-ai are JSON builtins already, so this comparison would
    only take time.
    """
    extra = options.pop("extra_body", None) or {}
    names = [
        name
        for name, value in options.items()
        if type(value) in _JSON_TYPES and name not in _SDK_ARGUMENTS
    ]
    body = {name: options.pop(name) for name in names}
    if _REQUIRED in body:
        options[_REQUIRED] = ()
    return await create(**options, extra_body={**body, **extra})


async def _request(
    request: Callable[..., Awaitable[Any]],
    *arguments: Any,
    stream_cls: Any = None,
    **options: Any,
) -> Any:
    if stream_cls is not None:
        stream_cls = _replace_stream_class(stream_cls)
    return await request(*arguments, stream_cls=stream_cls, **options)


@functools.cache
def _replace_stream_class(stream_class: Any) -> Any:
    """Return a stream class that builds each chunk with ``build_object``.

    :param stream_class: ``AsyncStream[T]``.
    """
    (type_,) = get_args(stream_class)
    holder = create_model("Holder", __base__=BaseModel, piece=(type_, ...))

    class Piece:
        """The chunk type; the SDK builds a chunk by calling this type's method ``build``."""

        @classmethod
        def build(cls, *, response: object, data: object) -> Any:  # noqa: ARG003  # the SDK's names
            try:
                return build_object(type_, data)
            except UnexpectedShape:
                return holder.construct(piece=data).piece  # type: ignore[attr-defined]  # of holder

    return AsyncStream[Piece]
