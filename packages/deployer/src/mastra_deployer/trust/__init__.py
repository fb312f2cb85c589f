"""Store what the user trusts: hosts in project files, and deployers that are project files."""
