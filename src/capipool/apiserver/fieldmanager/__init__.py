"""Server-side apply: who owns which field of an object, and what an apply or an update makes of that.

The API server calls `owners.apply` and `owners.track` on raw objects, after it has read and before it stores them.
Nothing here stores, and nothing here knows HTTP.
"""
