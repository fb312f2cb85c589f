"""Start each scheduled durable run at its time, once for all processes together."""
