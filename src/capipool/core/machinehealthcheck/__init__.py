"""MachineHealthCheck: which machines count as unhealthy, and when they are replaced."""
