"""Pure decisions: what is seen and what is wanted come in, what shall be done goes out. No clock, no cluster."""
