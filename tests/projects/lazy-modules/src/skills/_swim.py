def do(text):
    return f"swims with {text}"
