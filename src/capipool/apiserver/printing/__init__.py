"""Objects as `kubectl get` shows them: `Table` and `PartialObjectMetadata` of meta.k8s.io.

The HTTP front calls `tables` with a definition and raw objects when a client asks for one of these. Pure: the time of
day comes in as an argument.
"""
