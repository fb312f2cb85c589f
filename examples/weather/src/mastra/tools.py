"""The climate that the agent and the workflow look up."""

import json
from importlib.resources import files
from typing import Literal, TypedDict

from mastra_core import tool

CLIMATE = json.loads(files(__package__).joinpath("climate.json").read_text(encoding="utf-8"))


class Forecast(TypedDict):
    """The usual weather in a city."""

    city: str
    celsius: int
    rain: float


@tool
def forecast(city: str, season: Literal["summer", "winter"] = "summer") -> Forecast:
    """Look up what the weather in a city is usually like."""
    climate = CLIMATE.get(city.lower(), {"summer": 20, "winter": 5, "rain": 0.3})
    return {"city": city, "celsius": climate[season], "rain": climate["rain"]}
