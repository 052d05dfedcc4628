"""Looking at a file: what separates its columns, where its header is, what holds its rows, what is wrong."""
