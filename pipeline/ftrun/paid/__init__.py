"""The protocol of a paid call: intents, notes, ledger lines, uploads and budgets."""
