"""The kinds that a Kubernetes API server has without any CRD: one table, and what is particular to some of them.

`table.RESOURCES` is the table; `definition.Definition` is what the server knows of a kind, built in or from a CRD.
Nothing here stores, serves or decides on its own: the server's registry calls it.
"""
