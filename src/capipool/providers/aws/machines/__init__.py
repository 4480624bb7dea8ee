"""AWSMachine and AWSMachineTemplate: one EC2 instance each, as MachineSets and MachineDeployments make them."""
