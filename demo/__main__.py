"""`python -m demo [--no-keep]` plays the year; `python -m demo up` leaves Airflow and the sandbox running."""

import sys

from demo.story import run_demo, run_up

sys.exit(run_up() if "up" in sys.argv[1:] else run_demo(keep="--no-keep" not in sys.argv[1:]))
