"""The Cluster reconciler: observe -> decide -> apply."""
