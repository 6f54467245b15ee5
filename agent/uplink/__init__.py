"""Edge: the control plane over outbound mutual TLS: who we are, how we got to be it, and every call that we make."""
