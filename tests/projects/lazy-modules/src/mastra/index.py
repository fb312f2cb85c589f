from pathlib import Path

import skills
from mastra_core import Mastra

# Data beside the packages, found from this file: the layout is the project's.
PROMPT = Path(__file__).parents[2] / "prompts" / "greet.md"


async def guide(text: str) -> str:
    return f"{PROMPT.read_text().strip()} {skills.cook(text)}, {skills.load('swim')(text)}"


mastra = Mastra(agents={"guide": guide}, logger=False)
