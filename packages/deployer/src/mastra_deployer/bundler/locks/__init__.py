"""What a project's files say of its dependencies: one file for each tool that writes them."""
