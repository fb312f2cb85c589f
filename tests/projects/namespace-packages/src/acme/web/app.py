from acme.billing import price
from acme.stock.count import left

from mastra_core import Mastra


async def shop(text: str) -> str:
    return f"{text}: {price(text)} euro, {left(text)} left"


mastra = Mastra(agents={"shop": shop}, logger=False)
