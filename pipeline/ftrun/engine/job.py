"""`python -m ftrun.engine.job HOME JOB_ID`: as a server of ftrun 0.1 starts a job's process.

Such a server keeps running while it is busy, even when ftrun is upgraded under it.
"""

import sys
from pathlib import Path

from ftrun.engine.executors.job_process import run_job

if __name__ == "__main__":
    run_job(Path(sys.argv[1]), sys.argv[2])
