"""Rehearsals: billing played day by day against the vendor's stand-in, with the steps of the Dags themselves."""
