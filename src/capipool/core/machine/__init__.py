"""Machine: one machine, and the node it becomes."""
