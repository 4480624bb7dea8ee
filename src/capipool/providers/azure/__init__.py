"""Azure: pools as virtual machine scale sets and AKS agent pools, machines as virtual machines."""
