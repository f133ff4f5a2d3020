"""`manage.py`, but the subscriber sums up twice a second, and even the least: so a short run sees it."""

import sys

from jobs import sum_up
from scheduler_app.management import main

sum_up.INTERVAL = 0.2
sum_up.PATIENCE = 0.2
sum_up.WORTH_IT = 1
sum_up.STRETCH = 8
sum_up.READ_AT_ONCE = 1
sum_up.WRITTEN_AT_ONCE = 2
raise SystemExit(main(sys.argv))
