"""What a call does, one module a verb or subresource. Decisions are synchronous; only durability is awaited.

The server dispatches to these functions. They raise `ApiError` and know nothing of HTTP.
"""
