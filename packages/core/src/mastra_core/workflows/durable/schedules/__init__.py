"""Start durable runs at the times of their schedules, once for all processes."""
