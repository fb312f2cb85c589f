"""Commands that use a deployed Worker: list, promote, roll back, logs, doctor, destroy."""
