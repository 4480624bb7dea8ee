"""Instances as Machines, for providers that implement `DescribesMachines`: an object for each, of which core makes one.

Used by `sdk.reconciler` alone. `census` finds objects and Machines of a pool, `plan` says purely what of them is to
change, `apply` writes it, `leaving` deletes the Machines of instances that the engine removes.
"""
