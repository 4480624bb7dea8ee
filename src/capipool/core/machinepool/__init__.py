"""The MachinePool reconciler: observe -> decide -> apply, one file for each concern of the decision."""
