"""Conversion between v1beta1 and v1beta2, without loss: pure functions on decoded JSON, one module a kind.

A kind's module has two functions on the object without its metadata, `up` (to v1beta2) and `down` (to v1beta1), which
say where each field goes; `lossless.converter` makes a `machinery.admission.Converter` of them that loses nothing.
`api/converters.py` lists them all.
"""
