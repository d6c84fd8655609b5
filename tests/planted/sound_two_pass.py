"""The base of the planted faults itself: two passes, 16-bit dtypes in float32."""

from __future__ import annotations

from . import base

_SOUND = base.Sound()

softmax, softmax_vjp = _SOUND.softmax, _SOUND.softmax_vjp
log_softmax, log_softmax_vjp = _SOUND.log_softmax, _SOUND.log_softmax_vjp
logsumexp, logsumexp_vjp = _SOUND.logsumexp, _SOUND.logsumexp_vjp
nll_loss, nll_loss_vjp = _SOUND.nll_loss, _SOUND.nll_loss_vjp
cross_entropy, cross_entropy_vjp = _SOUND.cross_entropy, _SOUND.cross_entropy_vjp
cross_entropy_probs = _SOUND.cross_entropy_probs
cross_entropy_probs_vjp = _SOUND.cross_entropy_probs_vjp
sigmoid, sigmoid_vjp = _SOUND.sigmoid, _SOUND.sigmoid_vjp
log_sigmoid, log_sigmoid_vjp = _SOUND.log_sigmoid, _SOUND.log_sigmoid_vjp
binary_cross_entropy = _SOUND.binary_cross_entropy
binary_cross_entropy_vjp = _SOUND.binary_cross_entropy_vjp
binary_cross_entropy_with_logits = _SOUND.binary_cross_entropy_with_logits
binary_cross_entropy_with_logits_vjp = _SOUND.binary_cross_entropy_with_logits_vjp

targets = base.every_kind(globals())
