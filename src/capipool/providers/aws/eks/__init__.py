"""EKS: clusters that exist, node groups as pools, and what nodes boot with. Knows Auto Scaling pools only as AWS does."""
