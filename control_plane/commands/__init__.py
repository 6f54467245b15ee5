"""The command line of the control plane: the server itself, and commands on a running one or on its directory."""
