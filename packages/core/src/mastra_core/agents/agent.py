"""The built-in agent: a description here, pydantic-ai underneath, loaded on the first run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from mastra_core.agents.events import AgentEvent
from mastra_core.agents.messages import AgentInput
from mastra_core.agents.protocol import AgentInfo, AgentLike, AgentOutput, collect
from mastra_core.agents.providers import modules_of, variables_of
from mastra_core.errors import ConfigError
from mastra_core.schema import schema_of
from mastra_core.tools import Tool, as_tool

__all__ = ("Agent",)


class Agent:
    """An agent of instructions, a model and tools.

    :param name: what people call it, and its id where ``id`` is not given.
    :param instructions: the system prompt.
    :param model: ``"provider:model"`` (``"openai:gpt-5"``), or a pydantic-ai model object.
    :param tools: typed functions.
    :param output: the type of a structured answer; plain text where not given.
    :param settings: model settings for every run (``temperature``, ``max_tokens``, ...).
    :param retries: how often the model may repair a bad tool call or answer.
    :raises ConfigError: for a model string without a provider, or something that is no tool.
    """

    def __init__(
        self,
        *,
        name: str,
        instructions: str = "",
        model: Any,
        tools: Sequence[Any] = (),
        output: Any = None,
        description: str = "",
        id: str = "",
        settings: dict[str, Any] | None = None,
        retries: int = 1,
    ) -> None:
        if isinstance(model, str) and ":" not in model and model != "test":
            raise ConfigError(
                f"The model {model!r} of agent {name!r} names no provider.",
                f'Write "openai:{model}", or whoever serves it.',
            )
        self.id = id or name
        self.name = name
        self.description = description
        self.instructions = instructions
        self.model = model
        self.tools: tuple[Tool, ...] = tuple(as_tool(item) for item in tools)
        self.output = output
        self.settings = settings or {}
        self.retries = retries
        self._runner: AgentLike | None = None

    def info(self) -> AgentInfo:
        """What can be said without running it; loads no framework."""
        provider, model = self._labels()
        return AgentInfo(
            instructions=self.instructions,
            provider=provider,
            model=model,
            tools=self.tools,
            output_schema=None if self.output is None else schema_of(self.output),
            requires=self._requires(provider),
            variables=variables_of(provider) if isinstance(self.model, str) else (),
        )

    async def generate(self, input: AgentInput, /) -> AgentOutput:
        """Run to the end."""
        return await collect(self.stream(input))

    def stream(self, input: AgentInput, /) -> AsyncIterator[AgentEvent]:
        """Run, giving the events as they happen.

        :raises ConfigError: on the first run, when the extra ``agents`` is not installed.
        """
        if self._runner is None:
            self._runner = self._load()
        return self._runner.stream(input)

    def _load(self) -> AgentLike:
        try:
            from mastra_core.agents.pydantic_ai import build
        except ModuleNotFoundError as error:
            raise ConfigError(
                f"Agent {self.name!r} needs {error.name!r}, which is not installed.",
                "Install the extra: pip install 'mastra-core[agents]'.",
            ) from None
        return build(self)

    def _labels(self) -> tuple[str, str]:
        if isinstance(self.model, str):
            provider, _, model = self.model.rpartition(":")
            return provider, model
        return getattr(self.model, "system", ""), getattr(self.model, "model_name", "")

    def _requires(self, provider: str) -> tuple[str, ...]:
        if not isinstance(self.model, str):
            return ()
        return ("pydantic_ai", *modules_of(provider or self.model))
