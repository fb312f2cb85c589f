def do(text):
    return f"cooks {text}"
