"""The whole thing as a user runs it: a process, its kubeconfig, kubectl and signals."""
