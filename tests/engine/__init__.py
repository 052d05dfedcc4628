"""Tests of the engine's server, against a real process."""
