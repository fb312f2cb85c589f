async def bob(text: str) -> str:
    return f"bob heard {text}"
