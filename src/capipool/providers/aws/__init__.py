"""AWS: pools as Auto Scaling groups, clusters as facts. Needs the extra `aws`. Front doors: `kinds`, `setup`."""
