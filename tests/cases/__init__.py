"""Behaviour cases: facts about Cluster API as data (YAML), run against the code.

`python -m tests.cases DIR` runs every file of a folder and ends with the line `N passed, N failed`. A case says what is
`given`, the operation (`when`) and what to `expect`. The operations of `<file>.yaml` are functions in `ops_<file>.py`:

    @operation("format_label_value")
    def format_label_value(case: Case) -> None:
        expect.same(case.expect["result"], labels.format_value(case.given["value"]))

An operation raises AssertionError where the code does not do what the case expects; it may be a coroutine function. An
operation that nobody registered fails its cases. Where capipool differs on purpose, `differences.yaml` names the case
and the reason; such a case counts neither way, unless it no longer differs: then it fails, and its entry must go.
"""
