"""Who calls AWS for a cluster: the process itself, a user with keys of its own, or a role to assume."""
