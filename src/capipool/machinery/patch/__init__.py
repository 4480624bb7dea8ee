"""The three ways to say a change: JSON Patch (RFC 6902), JSON merge patch (RFC 7396), strategic merge patch.

The API server applies them and controllers make merge patches; none knows of a store or of HTTP. Every function is
pure: it never changes its arguments, and its result may share with them what did not change.
"""
