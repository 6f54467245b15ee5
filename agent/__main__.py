"""``python -m agent`` is the same as the command ``perigee``."""

from agent.cli import main

main()
