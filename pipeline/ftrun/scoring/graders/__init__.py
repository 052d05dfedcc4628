"""OpenAI's grader definitions, for the evaluation and, later, for reinforcement.

`templates` fills in {{item.…}} and {{sample.…}}, `similarity` compares two texts, `formula` computes the
output of a `multi` grader, `definitions` reads a definition, and `scorer` makes a scorer of it. Nothing of a
definition is ever run as code.
"""
