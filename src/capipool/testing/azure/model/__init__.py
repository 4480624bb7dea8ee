"""What the subscription holds: one module a noun, in memory, without a word about HTTP."""
