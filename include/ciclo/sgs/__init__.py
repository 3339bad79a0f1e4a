"""The central bank's price-index series: those that ship, and the client of its API."""
