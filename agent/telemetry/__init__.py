"""Edge: what the agent tells the people who run it: metrics, log records, probes."""
