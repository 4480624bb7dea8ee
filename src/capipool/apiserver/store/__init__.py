"""What the API server keeps: objects as JSON bytes in memory, a journal that makes writes durable, windows for watches.

Knows collections, keys and revisions; knows nothing of kinds, schemas, users or HTTP.
"""
