"""Edge: the Kubernetes cluster. Everything that speaks to an API server lives here, and no other room does."""
