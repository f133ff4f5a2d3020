"""Runs Home Assistant without its front end and its other default integrations, in its own environment.

`python run_home_assistant.py FOLDER`: the folder holds its configuration.
"""

import sys

from homeassistant import __main__, bootstrap, const

# The environment has the Python that there is; this version asks for a patch release more.
const.REQUIRED_PYTHON_VER = (3, 13, 0)
__main__.REQUIRED_PYTHON_VER = (3, 13, 0)
bootstrap.CRITICAL_INTEGRATIONS = set()
bootstrap.DEFAULT_INTEGRATIONS = {"logger", "network"}

sys.argv = ["hass", "--config", sys.argv[1], "--skip-pip"]
sys.exit(__main__.main())
