"""Single virtual machines: AzureMachines, as MachineSets and MachineDeployments make them."""
