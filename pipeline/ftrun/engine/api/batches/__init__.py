"""/v1/batches: files of requests that are answered one after the other."""
