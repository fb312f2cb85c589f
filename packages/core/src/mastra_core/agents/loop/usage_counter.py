"""Count the tokens of a run, and check its usage limits."""

from __future__ import annotations

from pydantic_ai.usage import RequestUsage, RunUsage

from mastra_core.agents.messages import UsageLimits
from mastra_core.agents.pydantic_ai.convert_parts import to_usage
from mastra_core.agents.pydantic_ai.run_overrides import to_usage_limits
from mastra_core.usage import Usage

__all__ = ("UsageCounter",)


class UsageCounter:
    """The tokens of a run, and of its current turn.

    :param limits: the usage limits of the run.
    """

    def __init__(self, limits: UsageLimits | None) -> None:
        self.total = Usage()
        self._turn = Usage()
        self._limits = to_usage_limits(limits)
        self._counts = RunUsage()

    def check_request(self) -> None:
        """Check whether another request may be sent.

        :raises UsageLimitExceeded: when the request would exceed a limit.
        """
        if self._limits is not None:
            self._limits.check_before_request(self._counts)

    def check_tool_calls(self, number: int) -> None:
        """Check whether tools may be called.

        :param number: the number of calls that the model requests.
        :raises UsageLimitExceeded: when the calls would exceed a limit.
        """
        if self._limits is not None:
            self._counts.tool_calls += number
            self._limits.check_before_tool_call(self._counts)

    def add_response(self, usage: RequestUsage) -> None:
        """Add the tokens of a response of the model.

        :param usage: pydantic-ai's counts.
        :raises UsageLimitExceeded: when the tokens of the run exceed a limit.
        """
        self.add(to_usage(usage))
        if self._limits is not None:
            self._counts.requests += 1
            self._limits.check_tokens(self._counts)

    def add(self, usage: Usage) -> None:
        """Add tokens, such as those of an agent that was called as a tool.

        :param usage: the tokens.
        """
        self.total += usage
        self._turn += usage
        if self._limits is not None:
            self._counts.input_tokens += usage.input_tokens
            self._counts.output_tokens += usage.output_tokens
            self._counts.cache_read_tokens += usage.cached_tokens

    def take_turn(self) -> Usage:
        """Return the tokens of the current turn, and start the next turn."""
        turn, self._turn = self._turn, Usage()
        return turn
