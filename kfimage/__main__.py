"""`python -m kfimage`."""

from kfimage.cli import main

main()
