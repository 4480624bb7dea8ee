"""A Kubernetes API server on SQLite, in this process. It knows nothing of Cluster API.

`server.Server` is what others use: calls in, replies and watches out, for any number of address spaces. `http.serve`
puts it on a port. Inside, from the bottom up: `store` keeps bytes, `registry` knows the kinds, `verbs` decide
what a call does, `lifecycle` does what happens without one.
"""
