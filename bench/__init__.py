"""Benchmarks of Ciclo: `python -m bench`, or `make bench`. `docs/benchmarks.md` says what each figure means."""
