"""AKS: clusters that exist, and their agent pools. Front door: `setup`. The kinds are among the provider's own."""
