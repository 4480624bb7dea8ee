"""Kinds of EKS, as upstream has them: clusters that exist, and what their nodes boot with."""
