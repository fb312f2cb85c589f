import numpy as np

from mastra_core import Mastra, Workflow, step


@step
def invert(size: int) -> float:
    matrix = np.eye(size) * 4
    return float(np.linalg.inv(matrix).sum())


mastra = Mastra(workflows={"invert": Workflow("invert").then(invert)}, logger=False)
