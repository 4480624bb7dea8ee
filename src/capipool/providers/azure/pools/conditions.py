"""Where agent pools find what the SDK says of conditions."""

from capipool.sdk.conditions import ERROR, INFO, WARNING, condition, merged

__all__ = ["ERROR", "INFO", "WARNING", "condition", "merged"]
