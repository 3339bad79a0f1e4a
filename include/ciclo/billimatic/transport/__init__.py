"""What carries a request to the vendor and its answer back."""
