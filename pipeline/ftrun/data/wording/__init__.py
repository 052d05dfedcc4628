"""What words say, in many languages: in which one a text is, and whether two texts say the same."""
