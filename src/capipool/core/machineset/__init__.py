"""MachineSet: a number of machines that are all alike."""
