"""Tests of the runner, against real engines and servers that fail on demand."""
