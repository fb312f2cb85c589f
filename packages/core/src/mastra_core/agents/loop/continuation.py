"""Continue a response that the provider has suspended, until it is complete.

Anthropic suspends a long turn (``pause_turn``), and the next request continues it. OpenAI's
background mode answers with a job, and the next request asks for the job's result.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses

from pydantic_ai.exceptions import UnexpectedModelBehavior
from pydantic_ai.messages import ModelResponse
from pydantic_ai.models import Model

__all__ = ("Continuation",)

_MAX_TURNS = 10  # of one answer; an answer with more turns may never end
_MAX_POLLS = 1000  # of one job; a poll costs no tokens


class Continuation:
    """Joins the parts of one response that arrive in several requests.

    :param model: the model that answers.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._response: ModelResponse | None = None
        self._turns = 0
        self._polls = 0

    @property
    def pending(self) -> ModelResponse | None:
        """The response, if the provider has suspended it; else ``None``."""
        response = self._response
        return response if response is not None and response.state == "suspended" else None

    def add(self, response: ModelResponse) -> ModelResponse:
        """Add the answer of one request.

        :param response: the answer.
        :returns: all answers as one response.
        :raises UnexpectedModelBehavior: when the provider suspends the response too often.
        """
        if self._response is None:
            self._response = response
        elif _is_same_job(self._response, response):
            self._polls += 1
            self._response = _keep_details(self._response, response)
        else:
            self._turns += 1
            self._response = _join_responses(self._response, response)
        if self._turns >= _MAX_TURNS or self._polls >= _MAX_POLLS:
            raise UnexpectedModelBehavior("the provider suspended the response too often")
        return self._response

    async def wait(self) -> None:
        """Wait until the provider may be asked for the result again."""
        if (response := self.pending) is not None:
            await asyncio.sleep(self._model.continuation_delay(response) or 0)

    async def cancel(self) -> None:
        """Cancel the provider's job for a suspended response that will not be continued."""
        if (response := self.pending) is not None:
            with contextlib.suppress(Exception):  # the reason for the end is more important
                await self._model.cancel_suspended_response(response)


def _is_same_job(earlier: ModelResponse, later: ModelResponse) -> bool:
    return bool(later.provider_response_id) and (
        earlier.provider_response_id == later.provider_response_id
    )


def _join_responses(earlier: ModelResponse, later: ModelResponse) -> ModelResponse:
    joined = dataclasses.replace(
        later,
        parts=[*earlier.parts, *later.parts],
        usage=earlier.usage + later.usage,
        provider_response_id=later.provider_response_id or earlier.provider_response_id,
    )
    return _keep_details(earlier, joined)


def _keep_details(earlier: ModelResponse, later: ModelResponse) -> ModelResponse:
    """Return the later response with details that only the earlier response has, such as ids."""
    details = {**(earlier.provider_details or {}), **(later.provider_details or {})}
    return dataclasses.replace(later, provider_details=details or None)
