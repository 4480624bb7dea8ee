"""The command line: what a person types, and what it prints. Talks to any API server through `client`."""
