"""Kinds of the AWS provider, as upstream has them."""
