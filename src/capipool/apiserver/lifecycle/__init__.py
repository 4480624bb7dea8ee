"""What goes on in an API server without a call: garbage collection, namespaces that end, kinds that come and go."""
