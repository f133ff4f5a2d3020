#!/usr/bin/env python3
"""The command line: `python manage.py help` lists the commands."""

import signal
import sys

if __name__ == "__main__":
    # Held back until `exit_status_of` is ready for them: within an import they could become any other error.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGTERM])

    from scheduler_app.interrupts import exit_status_of
    from scheduler_app.management import main

    sys.exit(exit_status_of(lambda: main(sys.argv)))
