"""What the user trusts: hosts that project files name, and deployers that are project files."""
