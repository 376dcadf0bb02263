"""`python -m apphub`."""

from apphub.cli import main

main()
