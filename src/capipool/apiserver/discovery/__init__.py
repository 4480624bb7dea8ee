"""What a client can find out about a server: its groups and kinds, and their schemas as OpenAPI.

The HTTP front asks a `catalog.Catalog`, which is made anew when the set of kinds changes and writes each document when
it is first asked for. Pure functions over definitions; nothing here knows of stored objects.
"""
