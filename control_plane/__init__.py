"""The reference control plane: authority, store, signed desired state, reports, admin API. It never dials a cluster."""
