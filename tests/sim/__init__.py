"""The product on simulated time, bus, store and network: one number makes one story of faults."""
