"""Kinds of the Azure provider, as upstream has them."""
