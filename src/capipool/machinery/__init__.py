"""What Kubernetes calls apimachinery: metadata, codec, selectors, patches, conditions, errors, schemas. No I/O.

Everything above stands on this package; it knows nothing of Cluster API, of HTTP, or of a store.
"""
