"""AKS: managed clusters with their agent pools, each of which is a scale set in the cluster's node resource group."""
