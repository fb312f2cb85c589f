"""The A2A protocol over agents: agent cards, and tasks over JSON-RPC."""
