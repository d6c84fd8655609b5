"""Define what is tested: operations, cases, families of inputs, suites, and the ledger.

This package knows neither frameworks nor verdicts. A case is named by its id, and its inputs
follow from the id alone, so that any finding can be reproduced from one line of text.
"""
