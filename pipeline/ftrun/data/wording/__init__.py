"""What words say, in many languages: whether two texts say the same, and what questions ask for."""
