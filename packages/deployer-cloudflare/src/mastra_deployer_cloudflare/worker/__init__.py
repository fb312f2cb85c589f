"""Run the app inside the Worker: these modules are copied into the bundle.

They run on Pyodide, with the packages of the Worker's SDK. They import nothing of this package but
one another.
"""
