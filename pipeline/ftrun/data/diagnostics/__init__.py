"""Findings: what is wrong, where, how serious it is, and the fix."""
