"""PyTorch: the adapter, and one file of implementations for each namespace."""
