import json
from importlib.metadata import entry_points, version
from importlib.resources import files

from mastra_core import Mastra

DATA = files("poems") / "data"
LINE = DATA.joinpath("lines.txt").read_text().strip()
MORE = json.loads((DATA / "deep" / "more.json").read_text())["line"]
STYLES = {point.name: point.load() for point in entry_points(group="poems.styles")}


async def poet(text: str) -> str:
    return f"{version('poems')} {STYLES['loud'](LINE)}; {STYLES['quiet'](MORE)}; {sorted(STYLES)}"


mastra = Mastra(agents={"poet": poet}, logger=False)
