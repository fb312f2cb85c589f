"""Start durable runs at the times of their schedules, each once for all processes together."""
