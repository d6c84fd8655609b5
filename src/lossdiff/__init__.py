"""lossdiff: softmax, cross-entropy and their relatives, judged against an exact oracle."""

__all__: list[str] = []
