"""Modules and environment variables that the providers of model strings need."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from mastra_core.errors import ConfigError

__all__ = (
    "find_missing_modules",
    "find_providers",
    "get_provider_modules",
    "get_provider_variables",
    "get_requirements",
    "list_client_modules",
    "list_model_modules",
    "list_providers",
    "parse_models",
    "split_model_name",
)

# The modules of each provider that pydantic-ai can use for a model string; one of them is enough.
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
# The extra of pydantic-ai that installs each module above, if the names differ.
_EXTRAS = {
    "boto3": "bedrock",
    "google.genai": "google",
    "huggingface_hub": "huggingface",
    "mistralai": "mistral",
    "xai_sdk": "xai",
}
# What the first model and the first request of a client import.
_SHARED_MODULES = ("anyio._backends._asyncio", "genai_prices.data", "genai_prices.data_units")
_CHAT_MODULES = (
    "openai.resources.chat.chat",
    "openai.resources.chat.completions.completions",
    "openai.types.responses.response",  # pydantic-ai compares the type of each answer with it
)
_RESPONSES_MODULES = ("openai.resources.responses.responses",)
_RESPONSES_PROVIDERS = ("openai", "openai-responses")  # every other provider has the older protocol
# pydantic-ai reads one of these variables at the first run if the code passes no key. Providers
# that authenticate in another way, such as clouds, are not listed.
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
    """Return the models of an agent in the order in which they are tried.

    :param model: one model, or a list of models.
    :raises ConfigError: for an empty list, a model string without a provider, or a value that is
        neither a model string nor a model object.
    """
    models = tuple(model) if isinstance(model, list | tuple) else (model,)
    if not models:
        raise ConfigError("The list of models is empty.", 'Name a model: model="openai:gpt-5".')
    for each in models:
        if not isinstance(each, str) and not hasattr(each, "model_name"):
            raise ConfigError(
                f"The model is a {type(each).__name__!r}, which is neither a model string nor a "
                "model object.",
                'Write model="openai:gpt-5". If the model comes from an environment variable, set '
                "the variable. For a server of your own, pass a pydantic-ai model object.",
            )
        if isinstance(each, str) and ":" not in each and each != "test":
            raise ConfigError(f"The model {each!r} names no provider.", _suggest_name(each))
    return models


def _suggest_name(name: str) -> str:
    """Return the hint for a model string without a provider, such as Mastra's ``openai/gpt-5``."""
    provider, separator, model = name.partition("/")
    if separator and provider in {**_MODULES, **_VARIABLES}:
        return f'Write a colon after the provider: "{provider}:{model}".'
    return f'Write "openai:{name}", or another provider in place of openai.'


def split_model_name(model: Any) -> tuple[str, str]:
    """Return the provider and the name of a model.

    :param model: a model string or a model object.
    """
    if isinstance(model, str):
        provider, _, name = model.partition(":")
        return (provider, name) if name else ("", provider)
    return getattr(model, "system", ""), getattr(model, "model_name", "")


def list_model_modules(provider: str, requires: Iterable[str] = ()) -> list[str]:
    """Return the modules that the first requests to an agent's models import.

    :param provider: the provider of the agent's first model; may be empty.
    :param requires: the required modules of all models of the agent, as ``AgentInfo.requires``
        lists them.
    """
    own = get_provider_modules(provider) if provider else ()
    others = [name for name in requires if name != "pydantic_ai" and name not in own]
    found = [f"pydantic_ai.providers.{provider.partition('-')[0]}"] if provider else []
    found += [item for name in own for item in list_client_modules(name, provider)]
    return found + [item for name in others for item in list_client_modules(name)]


def list_client_modules(module: str, provider: str = "") -> list[str]:
    """Return the modules that the first request of a client imports.

    :param module: the module of the client, as ``get_provider_modules`` returns it.
    :param provider: name of the provider; if it is empty, the result suits every provider.
    """
    name = _EXTRAS.get(module, module)
    modules = [f"pydantic_ai.models.{name}", *_SHARED_MODULES]
    if name in ("openai", "anthropic"):
        modules.append("aiohttp")
    if name == "openai":
        if provider not in _RESPONSES_PROVIDERS:
            modules += _CHAT_MODULES
        if not provider or provider in _RESPONSES_PROVIDERS:
            modules += _RESPONSES_MODULES
        modules.append("mastra_core.agents.pydantic_ai.openai_requests")
    return modules


def get_provider_modules(provider: str) -> tuple[str, ...]:
    """Return the modules of a provider; at least one must be installed.

    For a provider that this module does not know, these are the modules of OpenAI's SDK.

    :param provider: name of the provider.
    """
    return _MODULES.get(provider, ("openai",))


def get_provider_variables(provider: str) -> tuple[str, ...]:
    """Return the environment variables of a provider; at least one must be set.

    :param provider: name of the provider.
    :returns: the variables, empty if they are unknown.
    """
    return _VARIABLES.get(provider, ())


def find_missing_modules(modules: Iterable[str]) -> list[str]:
    """Return the modules that are not installed, without importing any of them.

    :param modules: dotted module names.
    """
    return [name for name in modules if not _is_importable(name)]


def get_requirements(modules: Iterable[str]) -> list[str]:
    """Return the packages to install for the missing modules of an agent.

    :param modules: modules that ``AgentInfo.requires`` lists.
    :returns: requirements as pip takes them (``mastra-core[agents]``).
    """
    return [
        "mastra-core[agents]"
        if name == "pydantic_ai"
        else f"pydantic-ai-slim[{_EXTRAS.get(name, name)}]"
        for name in modules
    ]


def list_providers() -> list[tuple[str, tuple[str, ...]]]:
    """Return the providers whose environment variables are known, with these variables."""
    return list(_VARIABLES.items())


def find_providers(variables: Sequence[str]) -> list[str]:
    """Return the providers whose credentials are exactly these environment variables.

    :param variables: names of environment variables.
    """
    return [provider for provider, names in _VARIABLES.items() if names == tuple(variables)]


def _is_importable(module: str) -> bool:
    from importlib.util import find_spec

    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # a parent package is missing
        return False
