"""The demonstration: a control plane, a cluster and an agent on one machine, and what they do, to be looked at."""
