"""The storage version of the kinds."""
