"""Select the user's own code that ships, without its deployer."""
