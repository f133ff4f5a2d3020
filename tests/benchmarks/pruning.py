"""`manage.py`, but the subscriber prunes every second and not every minute, so that a short run sees it."""

import sys

from scheduler_app.management import main
from scheduler_app.subscriber import role as subscriber

subscriber.INTERVAL = 1.0  # type: ignore[attr-defined] # what the file has imported
raise SystemExit(main(sys.argv))
