"""From a frozen description of a machine to the bytes it boots with. Pure: no clock, no I/O, no Kubernetes client."""
