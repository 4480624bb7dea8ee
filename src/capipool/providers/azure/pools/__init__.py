"""AzureMachinePool: pools as virtual machine scale sets, with an AzureMachinePoolMachine for each instance."""
