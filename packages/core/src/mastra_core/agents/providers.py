"""What the providers of model strings need: modules to import, and variables with a key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mastra_core.errors import ConfigError

__all__ = (
    "get_provider_modules",
    "get_provider_variables",
    "known_providers",
    "parse_models",
    "providers_of",
    "split_model_name",
)

# What pydantic-ai needs installed for a model string's provider; any one of the modules will do.
_MODULES: dict[str, tuple[str, ...]] = {
    "anthropic": ("anthropic",),
    "bedrock": ("boto3",),
    "cohere": ("cohere",),
    "google": ("google.genai",),
    "google-gla": ("google.genai",),
    "google-vertex": ("google.genai",),
    "groq": ("groq",),
    "huggingface": ("huggingface_hub",),
    "mistral": ("mistralai",),
    "test": (),
    "xai": ("xai_sdk",),
}
# Variables of which it reads one at the first run, where no key is given in code. Providers that
# sign in by other means, as clouds do, are not here.
_VARIABLES: dict[str, tuple[str, ...]] = {
    "anthropic": ("ANTHROPIC_API_KEY",),
    "azure": ("AZURE_OPENAI_API_KEY",),
    "cerebras": ("CEREBRAS_API_KEY",),
    "cohere": ("CO_API_KEY",),
    "deepseek": ("DEEPSEEK_API_KEY",),
    "fireworks": ("FIREWORKS_API_KEY",),
    "github": ("GITHUB_API_KEY",),
    "google": ("GOOGLE_API_KEY", "GEMINI_API_KEY"),
    "google-gla": ("GOOGLE_API_KEY", "GEMINI_API_KEY"),
    "grok": ("GROK_API_KEY",),
    "groq": ("GROQ_API_KEY",),
    "heroku": ("HEROKU_INFERENCE_KEY",),
    "huggingface": ("HF_TOKEN",),
    "mistral": ("MISTRAL_API_KEY",),
    "moonshotai": ("MOONSHOTAI_API_KEY",),
    "nebius": ("NEBIUS_API_KEY",),
    "ollama": ("OLLAMA_BASE_URL",),
    "openai": ("OPENAI_API_KEY",),
    "openai-chat": ("OPENAI_API_KEY",),
    "openai-responses": ("OPENAI_API_KEY",),
    "openrouter": ("OPENROUTER_API_KEY",),
    "together": ("TOGETHER_API_KEY",),
    "vercel": ("VERCEL_AI_GATEWAY_API_KEY", "VERCEL_OIDC_TOKEN"),
    "xai": ("XAI_API_KEY",),
}


def parse_models(model: Any) -> tuple[Any, ...]:
    """One model, or several in the order in which they are asked.

    :raises ConfigError: for none, or a model string without a provider.
    """
    models = tuple(model) if isinstance(model, list | tuple) else (model,)
    if not models:
        raise ConfigError("There is no model to ask.", 'Name one: model="openai:gpt-5".')
    for each in models:
        if isinstance(each, str) and ":" not in each and each != "test":
            raise ConfigError(
                f"The model {each!r} names no provider.",
                f'Write "openai:{each}", or whoever serves it.',
            )
    return models


def split_model_name(model: Any) -> tuple[str, str]:
    """Provider and name of a model string or object."""
    if isinstance(model, str):
        provider, _, name = model.partition(":")
        return (provider, name) if name else ("", provider)
    return getattr(model, "system", ""), getattr(model, "model_name", "")


def get_provider_modules(provider: str) -> tuple[str, ...]:
    """Modules of which ``provider`` needs one.

    Every provider not in the table speaks OpenAI's protocol through OpenAI's SDK.
    """
    return _MODULES.get(provider, ("openai",))


def get_provider_variables(provider: str) -> tuple[str, ...]:
    """Environment variables of which ``provider`` needs one; none where that is not known."""
    return _VARIABLES.get(provider, ())


def known_providers() -> list[tuple[str, tuple[str, ...]]]:
    """Every provider whose variables are known, with them."""
    return list(_VARIABLES.items())


def providers_of(variables: Sequence[str]) -> list[str]:
    """The providers that need one of exactly these variables."""
    return [provider for provider, names in _VARIABLES.items() if names == tuple(variables)]
