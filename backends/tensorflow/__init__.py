"""TensorFlow and Keras: the adapter, and one file of implementations for each namespace."""
