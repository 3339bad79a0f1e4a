"""`python -m ciclo.cli`."""

from ciclo.cli.main import main

main()
