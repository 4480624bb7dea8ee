"""Structural schemas: made from types for our own CRDs, and compiled into what the API server does with anyone's."""
