"""Clusters to try things on and to test against, and the demo. Nothing here is needed where the agent runs."""
