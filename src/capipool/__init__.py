"""Cluster API machine pools in Python. Public packages: `api`, `client`, `runtime`, `sdk`, `testing`."""

__version__ = "0.1.0"
