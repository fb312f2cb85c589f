"""Select the user's own code for a bundle, without its deployer."""
