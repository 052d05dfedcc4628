"""Looking at a file: what separates a table's columns, where its header is, what holds the rows, what is wrong."""
