"""Looking at the first part of a file: what separates a table's columns, where its header is, what is wrong."""
