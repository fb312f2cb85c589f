def hello(name):
    return f"dear {name}"
