def loud(text):
    return text.upper()


def quiet(text):
    return text.lower()
