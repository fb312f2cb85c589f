"""A workflow that looks up two seasons in parallel, and lets a person decide on a cold city."""

from typing import TypedDict

from mastra_core import StepContext, Workflow, step

from .tools import Forecast, forecast


class Trip(TypedDict):
    """A trip to a city."""

    city: str


class Decision(TypedDict):
    """The decision of a person."""

    go: bool


@step
async def summer(trip: Trip) -> Forecast:
    """Look up the usual summer."""
    return await forecast.execute({"city": trip["city"], "season": "summer"})


@step
async def winter(trip: Trip) -> Forecast:
    """Look up the usual winter."""
    return await forecast.execute({"city": trip["city"], "season": "winter"})


@step(resume=Decision, suspend=dict)
def decide(seasons: dict[str, Forecast], context: StepContext) -> str:
    """Recommend a warm city. For a cold city, suspend the run until a person decides."""
    city, coldest = seasons["summer"]["city"], seasons["winter"]["celsius"]
    if coldest >= 5:
        return f"Go to {city} any time."
    if context.resume_data is None:
        context.suspend({"question": f"{city} has {coldest} degrees in winter. Go?"})
    return f"Go to {city}." if context.resume_data["go"] else "Stay at home."


trip = Workflow("trip", description="Plans a trip.").parallel(summer, winter).then(decide)
