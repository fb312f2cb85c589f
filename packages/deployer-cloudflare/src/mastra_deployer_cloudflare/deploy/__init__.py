"""Upload a Worker, and bring its settings to what the deployer settings say."""
