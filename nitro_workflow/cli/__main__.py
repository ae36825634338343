"""``python -m nitro_workflow.cli``."""

from nitro_workflow.cli import main

main()
