"""A trip: look at two seasons side by side, and let a person decide where it is too cold."""

from typing import TypedDict

from mastra_core import StepContext, Workflow, step

from .tools import Forecast, forecast


class Trip(TypedDict):
    """Where to."""

    city: str


class Decision(TypedDict):
    """What a person says."""

    go: bool


@step
async def summer(trip: Trip) -> Forecast:
    """The usual summer."""
    return await forecast.execute({"city": trip["city"], "season": "summer"})


@step
async def winter(trip: Trip) -> Forecast:
    """The usual winter."""
    return await forecast.execute({"city": trip["city"], "season": "winter"})


@step(resume=Decision, suspend=dict)
def decide(seasons: dict[str, Forecast], context: StepContext) -> str:
    """Warm places need no asking."""
    city, coldest = seasons["summer"]["city"], seasons["winter"]["celsius"]
    if coldest >= 5:
        return f"Go to {city} any time."
    if context.resume_data is None:
        context.suspend({"question": f"{city} has {coldest} degrees in winter. Go?"})
    return f"Go to {city}." if context.resume_data["go"] else "Stay at home."


trip = Workflow("trip", description="Plans a trip.").parallel(summer, winter).then(decide)
