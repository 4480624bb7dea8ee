"""The older version of the kinds."""
