"""Measurements, each run by `python -m benchmarks NAME`; figures depend on the machine, so compare within one run."""
