"""Send one turn to a model, and to the next model when a provider fails."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager
from typing import Any

from pydantic_ai.direct import model_request, model_request_stream
from pydantic_ai.exceptions import FallbackExceptionGroup, ModelAPIError, ModelRequestTimeout
from pydantic_ai.messages import ModelMessage, ModelResponse, ModelResponseStreamEvent
from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse

from mastra_core.agents.loop.continuation import Continuation
from mastra_core.agents.loop.model_headers import add_trace_headers, enter_span
from mastra_core.agents.pydantic_ai.unlocked_stream import unlock_stream
from mastra_core.telemetry import Span

__all__ = ("ModelRequest",)

_WITHOUT_PROVIDER = ("pydantic_ai.models.function", "pydantic_ai.models.test")


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
    span: Span = None  # set where the request is traced

    async def send(self) -> None:
        """Wait for the whole answer.

        :raises ModelAPIError: when the only model fails.
        :raises FallbackExceptionGroup: when every model fails.
        """
        errors: list[ModelAPIError] = []
        for model in self.models:
            try:
                self.response = await self._send_to(model)
            except ModelAPIError as error:
                errors.append(error)
            else:
                return
        raise _join_errors(errors)

    async def _send_to(self, model: Model) -> ModelResponse:
        async with self._prepare_sending(model):
            response: ModelResponse = await self._open(model, model_request)
        if response.state != "suspended":
            return response
        continuation = Continuation(model)
        continuation.add(response)
        try:
            while (pending := continuation.pending) is not None:
                await continuation.wait()
                async with self._prepare_sending(model):
                    response = await self._open(model, model_request, pending)
                response = continuation.add(response)
        except BaseException:
            await continuation.cancel()
            raise
        return response

    async def stream(self) -> AsyncGenerator[ModelResponseStreamEvent]:
        """Yield the answer in pieces; after the first piece, no other model is tried.

        :raises ModelAPIError: when the only model fails, or when a model fails after the first
            piece of its answer.
        :raises FallbackExceptionGroup: when every model fails.
        """
        errors: list[ModelAPIError] = []
        for model in self.models:
            async with AsyncExitStack() as stack:
                try:
                    async with self._prepare_sending(model):
                        stream: StreamedResponse = await stack.enter_async_context(
                            self._open(model, model_request_stream)
                        )
                        unlock_stream(stream)
                        pieces = aiter(stream)
                        first = await anext(pieces, None)
                except ModelAPIError as error:
                    errors.append(error)
                    continue
                if first is not None:
                    yield first
                with _report_invalid_responses(model):
                    async for piece in pieces:
                        yield piece
            self.response = stream.get()
            if self.response.state == "suspended":
                async with aclosing(self._continue_stream(model)) as rest:
                    async for piece in rest:
                        yield piece
            return
        raise _join_errors(errors)

    async def _continue_stream(self, model: Model) -> AsyncGenerator[ModelResponseStreamEvent]:
        continuation = Continuation(model)
        continuation.add(self.response)
        try:
            while (pending := continuation.pending) is not None:
                await continuation.wait()
                async with AsyncExitStack() as stack:
                    with enter_span(model, self.span):
                        stream = await stack.enter_async_context(
                            self._open(model, model_request_stream, pending)
                        )
                        unlock_stream(stream)
                    with _report_invalid_responses(model):
                        async for piece in stream:
                            yield piece
                self.response = continuation.add(stream.get())
        except BaseException:
            await continuation.cancel()
            raise

    @asynccontextmanager
    async def _prepare_sending(self, model: Model) -> AsyncIterator[None]:
        """Raise an error if the block, which sends a request, takes too long.

        :raises ModelRequestTimeout: when the time is over.
        :raises ModelAPIError: when the provider's response cannot be read.
        """
        try:
            with enter_span(model, self.span), _report_invalid_responses(model):
                async with asyncio.timeout(self.timeout) as limit:
                    yield
        except TimeoutError:
            if self.timeout is None or not limit.expired():
                raise
            raise ModelRequestTimeout(model.model_name, self.timeout) from None

    def _open(
        self, model: Model, function: Callable[..., Any], pending: ModelResponse | None = None
    ) -> Any:
        messages = self.messages if pending is None else [*self.messages, pending]
        return function(
            model,
            model.prepare_messages(messages, self.parameters),
            model_settings=add_trace_headers(self.settings, model, self.span) or None,
            model_request_parameters=self.parameters,
        )


@contextmanager
def _report_invalid_responses(model: Model) -> Iterator[None]:
    """Raise a ``ModelAPIError`` if the client of a provider cannot read a response.

    The clients do not check all parts of a response. A missing part causes an error such as
    ``'NoneType' object is not iterable``, which would tell the caller nothing.
    """
    try:
        yield
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        if not _has_provider(model):
            raise
        raise ModelAPIError(model.model_name, "The response cannot be read.") from error


def _has_provider(model: Model) -> bool:
    """Return whether a model is a client of a provider, and not a function of the app."""
    module = type(model).__module__
    return module.startswith("pydantic_ai.models.") and module not in _WITHOUT_PROVIDER


def _join_errors(errors: list[ModelAPIError]) -> Exception:
    if len(errors) == 1:
        return errors[0]
    return FallbackExceptionGroup("every model failed", errors)
