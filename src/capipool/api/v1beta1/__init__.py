"""The API of cluster.x-k8s.io in version v1beta1: served and converted, never stored."""
