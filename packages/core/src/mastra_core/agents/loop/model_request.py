"""Send one turn to a model, and to the next model when a provider fails."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from pydantic_ai.direct import model_request, model_request_stream
from pydantic_ai.exceptions import FallbackExceptionGroup, ModelAPIError, ModelRequestTimeout
from pydantic_ai.messages import ModelMessage, ModelResponse, ModelResponseStreamEvent
from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse

__all__ = ("ModelRequest",)


@dataclasses.dataclass
class ModelRequest:
    """One request, which is sent to the models in turn until one of them answers.

    :param models: the models, the preferred one first.
    :param messages: the conversation.
    :param settings: the model settings.
    :param parameters: the instructions, the tools and the format of the answer.
    :param timeout: seconds until one model must have answered; for a stream, until its first piece.
    """

    models: list[Model]
    messages: list[ModelMessage]
    settings: dict[str, Any]
    parameters: ModelRequestParameters
    timeout: float | None
    response: ModelResponse = dataclasses.field(init=False)  # set when the request has ended

    async def send(self) -> None:
        """Wait for the whole answer.

        :raises ModelAPIError: when the only model fails.
        :raises FallbackExceptionGroup: when every model fails.
        """
        errors: list[ModelAPIError] = []
        for model in self.models:
            try:
                async with self._limit_time(model):
                    self.response = await self._open(model, model_request)
            except ModelAPIError as error:
                errors.append(error)
            else:
                return
        raise _join_errors(errors)

    async def stream(self) -> AsyncGenerator[ModelResponseStreamEvent]:
        """Yield the answer in pieces; a model that fails after its first piece is the last one.

        :raises ModelAPIError: when the only model fails, or fails after its first piece.
        :raises FallbackExceptionGroup: when every model fails.
        """
        errors: list[ModelAPIError] = []
        for model in self.models:
            async with AsyncExitStack() as stack:
                try:
                    async with self._limit_time(model):
                        stream: StreamedResponse = await stack.enter_async_context(
                            self._open(model, model_request_stream)
                        )
                        pieces = aiter(stream)
                        first = await anext(pieces, None)
                except ModelAPIError as error:
                    errors.append(error)
                    continue
                if first is not None:
                    yield first
                async for piece in pieces:
                    yield piece
            self.response = stream.get()
            return
        raise _join_errors(errors)

    @asynccontextmanager
    async def _limit_time(self, model: Model) -> AsyncIterator[None]:
        """Raise ``ModelRequestTimeout`` when the time of a block is over."""
        try:
            async with asyncio.timeout(self.timeout) as limit:
                yield
        except TimeoutError:
            if self.timeout is None or not limit.expired():
                raise
            raise ModelRequestTimeout(model.model_name, self.timeout) from None

    def _open(self, model: Model, function: Callable[..., Any]) -> Any:
        return function(
            model,
            model.prepare_messages(self.messages, self.parameters),
            model_settings=self.settings or None,
            model_request_parameters=self.parameters,
        )


def _join_errors(errors: list[ModelAPIError]) -> Exception:
    if len(errors) == 1:
        return errors[0]
    return FallbackExceptionGroup("every model failed", errors)
