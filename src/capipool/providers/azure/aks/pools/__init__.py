"""AzureManagedMachinePool: an agent pool of an AKS cluster, by the API of AKS."""
