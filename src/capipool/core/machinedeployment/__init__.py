"""MachineDeployment: machine sets, and how one set replaces another."""
