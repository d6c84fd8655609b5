"""The questions: operations, cases, families of inputs, suites, worked examples, the ledger."""
