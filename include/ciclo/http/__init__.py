"""What every client of an HTTP API here shares: checked addresses, exact JSON, trying again within a budget, errors."""
