"""How the subscription is reached: requests in, ARM's answers out. Decides nothing about resources."""
