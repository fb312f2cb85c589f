"""The loop: a request to the model, the tools that it calls, and the next request."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, nullcontext

from pydantic_ai.messages import ModelRequestPart, ModelResponse, ToolCallPart, ToolReturnPart

from mastra_core.agents.events import AgentEvent, StepFinish, ToolCall, ToolResult
from mastra_core.agents.loop.answer import Answer, AnswerReader
from mastra_core.agents.loop.call_batch import CallBatch
from mastra_core.agents.loop.call_outcome import CallOutcome, PendingCall
from mastra_core.agents.loop.conversation import Conversation
from mastra_core.agents.loop.model_request import ModelRequest
from mastra_core.agents.loop.model_span import trace_request
from mastra_core.agents.loop.recorded_calls import iter_answer_once
from mastra_core.agents.loop.resume import Resumption
from mastra_core.agents.loop.run_plan import RunPlan
from mastra_core.agents.loop.turn_events import TurnConverter, iter_response_events
from mastra_core.agents.loop.usage_counter import UsageCounter
from mastra_core.agents.pydantic_ai.convert_parts import get_finish_reason, to_tool_call
from mastra_core.agents.pydantic_ai.file_downloads import refuse_downloads
from mastra_core.agents.pydantic_ai.run_result import OUTPUT_TOOL, build_finish, to_tool_result

__all__ = ("AgentRun",)

_NOT_EXECUTED = "Tool not executed - a final result was already processed."


class AgentRun:
    """One run of the built-in agent.

    :param plan: the plan of the run.
    :param live: whether the answers of the model are streamed.
    """

    def __init__(self, plan: RunPlan, *, live: bool) -> None:
        self._plan = plan
        self._live = live
        self._usage = UsageCounter(plan.run_input.limits)
        self._conversation = Conversation(plan.history, plan.instructions)
        self._answers = AnswerReader(
            plan.output,
            retries=plan.retries,
            has_tools=bool(plan.toolset.definitions),
            fallback=plan.run_input.fallback,
        )
        self._steps = 0
        self._ended = False
        self._has_events = True  # of the current turn
        self._calls: dict[str, ToolCall] = {}

    async def iter_events(self) -> AsyncGenerator[AgentEvent]:
        """Run the agent to the end, and yield the events, except ``Start``.

        :raises Exception: when an error of a provider, a usage limit or an invalid answer ends the
            run.
        """
        resumption = self._plan.resumption
        if resumption is None:
            self._conversation.add_prompt(self._plan.prompt)
        else:
            async with aclosing(self._iter_resumed_calls(resumption)) as events:
                async for event in events:
                    yield event
        while not self._ended:
            async with aclosing(self._iter_turn()) as events:
                async for event in events:
                    yield event

    async def _iter_resumed_calls(self, resumption: Resumption) -> AsyncGenerator[AgentEvent]:
        """Execute the calls with a decision; yield each call again before its result."""
        for part in resumption.parts:
            call = self._calls[part.tool_call_id] = to_tool_call(part)
            yield call
        batch = self._build_batch(resumption.calls)
        async with aclosing(self._iter_batch(batch, resumption.results)) as events:
            async for event in events:
                yield event

    async def _iter_turn(self) -> AsyncGenerator[AgentEvent]:
        """Request one response of the model, and execute its calls."""
        self._usage.check_request()
        request = self._build_request()
        self._has_events = False
        journal = self._plan.run_input.journal
        if journal is None:
            is_recorded, answer = False, self._iter_answer(request)
        else:
            is_recorded = journal.begin_turn()
            answer = iter_answer_once(journal, request, self._iter_answer)
        with nullcontext() if is_recorded else trace_request(request) as span:
            async with aclosing(answer) as events:
                async for event in events:
                    if span is not None and self._live and not self._has_events:
                        span.record_first_chunk()
                    self._has_events = True
                    yield event
        response = request.response
        self._steps += 1
        self._conversation.add_response(response)
        self._usage.add_response(response.usage)
        calls = response.tool_calls
        if not calls:
            for event in self._end_text_turn(response):
                yield event
            return
        async with aclosing(self._iter_calls(response, calls)) as events:
            async for event in events:
                yield event

    async def _iter_answer(self, request: ModelRequest) -> AsyncGenerator[AgentEvent]:
        if not self._live:
            await request.send()
            for event in iter_response_events(request.response):
                yield event
            return
        output = self._plan.output
        converter = TurnConverter(output.shape if output else None)
        async with aclosing(request.stream()) as pieces:
            async for piece in pieces:
                for event in converter.convert(piece):
                    yield event

    def _build_request(self) -> ModelRequest:
        is_first = self._steps == 0 and self._plan.resumption is None
        return ModelRequest(
            self._plan.models,
            refuse_downloads(self._conversation.messages, self._plan.run_input),
            self._plan.get_settings(is_first=is_first),
            self._plan.parameters,
            self._plan.timeout,
        )

    def _build_batch(self, calls: Sequence[PendingCall]) -> CallBatch:
        plan = self._plan
        return CallBatch(calls, plan.toolset, plan.run_input, self._usage, plan.stops_on_tool_error)

    async def _iter_calls(
        self, response: ModelResponse, calls: Sequence[ToolCallPart]
    ) -> AsyncGenerator[AgentEvent]:
        """Read the run's answer if the model gave it as a call, and execute all other calls."""
        answer: Answer | None = None
        results: list[ModelRequestPart] = []
        others = list(calls)
        if (output := self._plan.output) is not None:
            others = [part for part in calls if part.tool_name != OUTPUT_TOOL]
            answers = [part for part in calls if part.tool_name == OUTPUT_TOOL]
            answer, results = self._answers.read_calls(output, response, answers)
        self._calls |= {part.tool_call_id: to_tool_call(part) for part in others}
        client_names = self._plan.toolset.client_names
        own = [PendingCall(part=each) for each in others if each.tool_name not in client_names]
        client_calls = [each for each in others if each.tool_name in client_names]
        self._usage.check_tool_calls(len(own))
        batch = self._build_batch(own)
        async with aclosing(self._iter_batch(batch, results, client_calls, answer)) as events:
            async for event in events:
                yield event

    async def _iter_batch(
        self,
        batch: CallBatch,
        results: Sequence[ModelRequestPart],
        client_calls: Sequence[ToolCallPart] = (),
        answer: Answer | None = None,
    ) -> AsyncGenerator[AgentEvent]:
        """Execute calls, and end the turn.

        :param batch: the calls to execute.
        :param results: the results that exist already.
        :param client_calls: the calls that the caller executes.
        :param answer: the answer of the turn, if the model has given one.
        """
        outcomes: list[CallOutcome] = []
        unread: list[CallOutcome] = []
        try:
            async with aclosing(batch.run(unread)) as items:
                async for item in items:
                    if not isinstance(item, CallOutcome):
                        yield item
                        continue
                    outcomes.append(item)
                    if item.result is not None:
                        yield self._to_result(item.result)
        finally:
            self._report_unread_results(unread)
        for part in results:
            if isinstance(part, ToolReturnPart) and part.tool_call_id in self._calls:
                yield self._to_result(part)
        parts = [*results, *(each.result for each in outcomes if each.result is not None)]
        for event in self._end_turn(parts, outcomes, client_calls, answer):
            yield event

    def _report_unread_results(self, outcomes: Sequence[CallOutcome]) -> None:
        """Report results that a run cannot yield, because it is being cancelled or fails."""
        reported = self._plan.run_input.unread_results
        if reported is not None:
            reported += [self._to_result(each.result) for each in outcomes if each.result]

    def _to_result(self, part: ToolReturnPart) -> ToolResult:
        return to_tool_result(part, self._calls)

    def _end_turn(
        self,
        parts: list[ModelRequestPart],
        outcomes: Sequence[CallOutcome],
        client_calls: Sequence[ToolCallPart],
        answer: Answer | None,
    ) -> list[AgentEvent]:
        waiting = [each for each in outcomes if each.waiting is not None]
        if answer is not None:
            skipped = [*(each.part for each in waiting), *client_calls]
            parts += [
                ToolReturnPart(part.tool_name, _NOT_EXECUTED, part.tool_call_id) for part in skipped
            ]
        if parts:
            self._conversation.add_request(parts)
        if answer is not None:
            return self._end("stop", answer)
        if waiting:
            return self._suspend(waiting)
        if client_calls:
            return self._end("tool-calls")
        is_corrected = all(getattr(part, "tool_name", "") == OUTPUT_TOOL for part in parts)
        return self._continue("retry" if is_corrected else "tool-calls")

    def _end_text_turn(self, response: ModelResponse) -> list[AgentEvent]:
        answer = self._answers.read_text(response)
        if isinstance(answer, Answer):
            return self._end(get_finish_reason(response), answer)
        self._conversation.add_request([answer])
        return self._continue("retry")

    def _continue(self, reason: str) -> list[AgentEvent]:
        """Return the event that ends the turn; after the last turn, the event that ends the run."""
        if self._is_stopped():
            return self._end("tool-calls")
        if not self._has_events:  # an invalid answer, which the model corrects
            return []
        turn = self._usage.take_turn()
        return [StepFinish(reason=reason, continued=True, usage=turn)]

    def _is_stopped(self) -> bool:
        plan = self._plan
        if self._steps >= plan.max_steps:
            return True
        conditions = plan.run_input.stop_when
        if not conditions:
            return False
        events = self._conversation.build_turn_events()
        return any(condition(events) for condition in conditions)

    def _end(self, reason: str, answer: Answer | None = None) -> list[AgentEvent]:
        self._ended = True
        return [
            StepFinish(reason=reason, usage=self._usage.take_turn()),
            build_finish(
                self._conversation.messages,
                reason=reason,
                object=answer.object if answer else None,
                is_fallback=answer.is_fallback if answer else False,
                usage=self._usage.total,
            ),
        ]

    def _suspend(self, waiting: Sequence[CallOutcome]) -> list[AgentEvent]:
        self._ended = True
        events = [each.waiting for each in waiting if each.waiting is not None]
        messages, usage = self._conversation.messages, self._usage.total
        return [*events, build_finish(messages, reason="suspended", usage=usage)]
