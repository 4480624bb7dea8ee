"""Defaults and rules of each kind, as `machinery.admission.Rules` in version v1beta2: one module a kind, all pure.

Defaults see the object before its schema was checked, so they touch only what has the right shape. Rules see it after,
and answer with field errors, a refusal as a whole, and warnings for fields that nothing acts on. `api/rules.py` lists
them all.
"""
