"""Evaluations for people and CI servers: words and numbers, the terminal, JUnit XML."""
