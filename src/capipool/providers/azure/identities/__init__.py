"""Who calls Azure for a cluster: the process itself, or an AzureClusterIdentity that its namespace may use."""
