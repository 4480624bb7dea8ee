"""Conversions v1alpha3 -> v1alpha4 -> v1beta1 -> v1beta2 of pools and of what they refer to, as pure functions.

Each kind has plain steps from one version to the next and back; `chain` makes them lossless and walks them.
"""
