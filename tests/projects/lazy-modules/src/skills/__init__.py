from importlib import import_module


def __getattr__(name):
    if name in ("cook", "swim"):
        return load(name)
    raise AttributeError(name)


def load(name):
    return import_module(f"{__name__}._{name}").do
