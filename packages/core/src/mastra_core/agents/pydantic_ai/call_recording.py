"""Record the calls of a pydantic-ai agent in a durable run."""

from __future__ import annotations

import dataclasses
from typing import Any

from pydantic import BaseModel
from pydantic_ai.capabilities import AbstractCapability
from pydantic_ai.messages import ModelResponse

from mastra_core.agents.pydantic_ai.model_responses import dump_response, load_response
from mastra_core.agents.run_journal import RunJournal
from mastra_core.schema import dump

__all__ = ("build_recording",)

_VALUE = "value"


@dataclasses.dataclass
class _Recording(AbstractCapability[Any]):
    journal: RunJournal

    async def wrap_model_request(
        self,
        ctx: Any,  # noqa: ARG002  # a parameter of pydantic-ai's hook
        *,
        request_context: Any,
        handler: Any,
    ) -> ModelResponse:
        """Return the recorded answer, or else send the request."""
        journal = self.journal
        if journal.begin_turn():
            return load_response(journal.find(journal.answer_name))
        await journal.prepare()
        response: ModelResponse = await handler(request_context)
        journal.record(journal.answer_name, dump_response(response))
        return response

    async def wrap_tool_execute(
        self,
        ctx: Any,  # noqa: ARG002  # a parameter of pydantic-ai's hook
        *,
        call: Any,
        tool_def: Any,  # noqa: ARG002  # also one
        args: Any,
        handler: Any,
    ) -> Any:
        """Return the recorded result, or else execute the tool."""
        name = f"tool:{self.journal.turn}:{call.tool_call_id}"
        recorded = self.journal.find(name)
        if recorded is not None:
            return recorded[_VALUE]
        await self.journal.prepare(events=True)
        result = await handler(args)
        if isinstance(result, BaseModel) or _is_json(result):
            self.journal.record(name, {_VALUE: dump(result)})
        return result


def build_recording(journal: RunJournal | None) -> list[AbstractCapability[Any]]:
    """Build the capability that records the answers of the model and the results of tools.

    A result that is neither JSON nor a pydantic model, such as a file, is not recorded.

    :param journal: the journal of the run; ``None`` for a run that is not durable.
    """
    return [] if journal is None else [_Recording(journal)]


def _is_json(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_is_json, value))
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_json(each) for key, each in value.items())
    return value is None or type(value) in (str, int, float, bool)
