"""Tests of recording what models answer."""
