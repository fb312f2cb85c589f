from importlib.resources import files

import idna

FACTOR = int(files("prices").joinpath("factor.txt").read_text())


def price(text):
    return f"{FACTOR * len(text)} ({idna.__version__})"
