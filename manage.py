#!/usr/bin/env python3
"""The command line: `python manage.py help` lists the commands."""

import signal
import sys

if __name__ == "__main__":
    try:  # `main` lets the signals through again: within an import they could become any other error
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGTERM])
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # as PID 1 there is no handler but ours
        from scheduler_app.management import main

        sys.exit(main(sys.argv))
    except KeyboardInterrupt:
        sys.exit(0)
