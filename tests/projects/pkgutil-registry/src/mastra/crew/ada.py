async def ada(text: str) -> str:
    return f"ada heard {text}"
