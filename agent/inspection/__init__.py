"""Questions about one agent's instances, answered once from what the cluster holds; nothing is ever written.

Beside the daemon: that one works until it is told to stop, this looks once. It needs neither a control plane nor a
running agent.
"""
