#!/usr/bin/env python3
"""The command line: `python manage.py help` lists the commands."""

import sys

if __name__ == "__main__":
    try:
        from scheduler_app.management import main

        sys.exit(main(sys.argv))
    except KeyboardInterrupt:
        sys.exit(130)
