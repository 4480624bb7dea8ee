"""AWSManagedMachinePool: a node group of an EKS cluster, by the API of EKS."""
