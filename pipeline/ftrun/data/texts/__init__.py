"""What single texts may contain and how it is repaired: damaged encodings, markup, marks."""
