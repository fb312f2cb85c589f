"""Run the app inside the Worker: these modules are copied into the bundle.

The modules run on Pyodide, with the packages of the Worker's SDK. The modules in this package
import no other modules of the deployer.
"""
