"""`python -m ftrun.engine.chat_worker MODEL`: as a server of ftrun 0.1 starts a chat worker.

Such a server keeps running while it is busy, even when ftrun is upgraded under it.
"""

import sys

from ftrun.engine.inference.chat_worker import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
