#!/usr/bin/env python3
"""The command line: `python manage.py help` lists the commands."""

import signal
import sys

if __name__ == "__main__":
    try:
        # before the imports, which take a while: as PID 1 there is no handler but ours
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        from scheduler_app.management import main

        sys.exit(main(sys.argv))
    except KeyboardInterrupt:
        sys.exit(0)
