"""What runs jobs: their processes on this machine, from start to last report."""
