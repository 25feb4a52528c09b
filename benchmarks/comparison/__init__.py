"""What `benchmarks/peers.py` consists of: servers, load, results, and how they are shown."""
