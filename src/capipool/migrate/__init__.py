"""From `exp.cluster.x-k8s.io` to `cluster.x-k8s.io`, without touching a machine.

`observe` reads a cluster or files, `plan` decides (pure, and frozen), `apply`, `undo` and `commit` carry out. Called by
the command line; knows no controller and no provider: the conversions of their kinds are handed in.
"""
