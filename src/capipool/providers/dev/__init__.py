"""The development cloud: clusters and scaling groups in memory, for trying and testing. Front door: `setup`."""
