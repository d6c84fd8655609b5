"""numpyro: the binary loss of its distributions."""

from lossdiff import implements
from numpyro.distributions.util import binary_cross_entropy_with_logits

implements("binary_cross_entropy_with_logits", reduction="none")(binary_cross_entropy_with_logits)
