"""EKS: clusters that exist, node groups as pools, and what nodes boot with. Front doors: `kinds`, `setup`."""
