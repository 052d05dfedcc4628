"""What single texts may contain that is mended the same way everywhere: damaged encodings, markup, marks."""
