"""JAX and Optax: the adapter, and one file of implementations for each namespace."""
