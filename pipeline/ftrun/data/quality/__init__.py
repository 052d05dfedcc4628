"""Checks of what texts say: are they clean, safe to train on, and consistent?"""
