"""The API of cluster.x-k8s.io in version v1beta2: what is stored, and what every controller works with."""
