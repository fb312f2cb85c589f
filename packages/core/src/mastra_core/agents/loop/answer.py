"""Read the answer of a run from the model's responses, and let the model correct it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import msgspec
from pydantic_ai.exceptions import (
    ContentFilterError,
    OutputTokenLimitExceeded,
    UnexpectedModelBehavior,
)
from pydantic_ai.messages import (
    FilePart,
    ModelRequestPart,
    ModelResponse,
    RetryFeedbackPart,
    RetryInfo,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
)

from mastra_core.agents.loop.output_format import OutputFormat

__all__ = ("Answer", "AnswerReader")

_ACCEPTED = "Final result processed."
_SECOND_ANSWER = "Output tool not used - a final result was already processed."
# pydantic-ai sends these sentences as system messages, and other text as messages of the user.
_ASK_FOR_CALL = "Please include your response in a tool call."
_ASK_FOR_TEXT = {False: "Please return text.", True: "Please return text or call a tool."}


@dataclasses.dataclass(frozen=True)
class Answer:
    """The answer that ends a run.

    :param object: the structured answer; ``None`` for text.
    :param is_fallback: whether ``object`` is the caller's fallback.
    """

    object: Any = None
    is_fallback: bool = False


class AnswerReader:
    """Reads the model's answers, and counts the invalid answers.

    :param output: the format of a structured answer; ``None`` for text.
    :param retries: how many times the model may correct its answer.
    :param has_tools: whether the model may call tools.
    :param fallback: the structured answer if the model gives no valid one; ``UNSET`` for none.
    """

    def __init__(
        self,
        output: OutputFormat | None,
        *,
        retries: int,
        has_tools: bool,
        fallback: Any = msgspec.UNSET,
    ) -> None:
        self._output = output
        self._retries = retries
        self._has_tools = has_tools
        self._fallback = msgspec.UNSET if output is None else fallback
        self._failures = 0

    def read_calls(
        self, output: OutputFormat, response: ModelResponse, calls: Sequence[ToolCallPart]
    ) -> tuple[Answer | None, list[ModelRequestPart]]:
        """Read a structured answer from the calls of the answer tool.

        :param output: the format of the answer.
        :param response: the response that contains the calls.
        :param calls: the calls of the answer tool.
        :returns: the answer, or ``None`` if no call has a valid answer; and the results of the
            calls.
        :raises UnexpectedModelBehavior: when the model may not correct its answer again.
        """
        answer: Answer | None = None
        results: list[ModelRequestPart] = []
        error = ""
        for part in calls:
            if answer is not None:
                results.append(_build_result(part, _SECOND_ANSWER))
                continue
            try:
                answer = Answer(output.parse_call(part))
            except ValueError as invalid:
                error = str(invalid)
                results.append(_build_retry(part, error))
            else:
                results.append(_build_result(part, _ACCEPTED))
        if error and answer is None:
            answer = self._count_failure(response, error)
        return answer, results

    def read_text(self, response: ModelResponse) -> Answer | RetryFeedbackPart:
        """Read the answer from the text of a response that has no tool calls.

        :param response: the response.
        :returns: the answer, or the request to the model to correct its answer.
        :raises UnexpectedModelBehavior: when the model may not correct its answer again.
        """
        text = "".join(part.content for part in response.parts if isinstance(part, TextPart))
        if self._output is None:
            if text or any(isinstance(part, FilePart) for part in response.parts):
                return Answer()
            return self._request_correction(response, _ASK_FOR_TEXT[self._has_tools], "no_output")
        try:
            return Answer(self._output.parse_text(text))
        except msgspec.DecodeError:
            return self._request_correction(response, _ASK_FOR_CALL, "no_output")
        except ValueError as error:
            return self._request_correction(response, str(error), "model_retry")

    def _request_correction(
        self, response: ModelResponse, text: str, cause: Any
    ) -> Answer | RetryFeedbackPart:
        fallback = self._count_failure(response, text)
        return fallback or RetryFeedbackPart(text, retry=RetryInfo(cause))

    def _count_failure(self, response: ModelResponse, error: str) -> Answer | None:
        """Count an invalid answer.

        :returns: the fallback if the model may not correct its answer again; else ``None``.
        :raises UnexpectedModelBehavior: when there is no fallback.
        """
        self._failures += 1
        failure = self._find_failure(response, error)
        if failure is None:
            return None
        if self._fallback is msgspec.UNSET:
            raise failure
        return Answer(self._fallback, is_fallback=self._fallback is not None)

    def _find_failure(self, response: ModelResponse, error: str) -> UnexpectedModelBehavior | None:
        """Return the error of a run whose answer cannot be corrected."""
        if response.finish_reason == "content_filter" and not response.tool_calls:
            return ContentFilterError("the content filter was triggered")
        if response.finish_reason == "length":
            return OutputTokenLimitExceeded("the token limit cut the answer off")
        if self._failures <= self._retries:
            return None
        return UnexpectedModelBehavior(
            f"Exceeded maximum output retries ({self._retries}). {error}"
        )


def _build_result(part: ToolCallPart, text: str) -> ToolReturnPart:
    return ToolReturnPart(part.tool_name, text, part.tool_call_id)


def _build_retry(part: ToolCallPart, error: str) -> ToolReturnPart:
    retry: RetryInfo[Any] = RetryInfo("validation_error")
    return ToolReturnPart(part.tool_name, error, part.tool_call_id, outcome="retried", retry=retry)
