"""The store of durable runs: its protocol, its transactions, and the databases."""
