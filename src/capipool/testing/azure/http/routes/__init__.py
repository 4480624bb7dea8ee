"""The paths, one module a resource type."""
