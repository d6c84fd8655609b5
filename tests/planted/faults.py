"""Faults that somebody made in some library: one a line.

A line has the name of a function, the mistake with the thread where there is one, and each text of
`sound.py` with what stands there instead. `expect` is the verdict that catches a fault where that
is no finding, `full` the cases by which the `full` suite shows what `quick` does not, and why.
"""

# ruff: noqa: E501 -- one line a fault
# fmt: off

from __future__ import annotations

from .altered import functions_of, row

IN_16_BITS = (
    ("return np.moveaxis(wide(values), axis, -1)", "global dtype; dtype = values.dtype; return np.moveaxis(wide(values), axis, -1)"),
    ("e.sum(-1, keepdims=True)", "sequential(e, dtype) if dtype.itemsize == 2 else e.sum(-1, keepdims=True)"),
)
LAST_AXIS = (("np.moveaxis(wide(values), axis, -1)", "wide(values)"), ("np.moveaxis(result, -1, axis)", "result"))
UNCHECKED = ('raise ValueError("a probability is outside [0, 1]")', "pass")

FAULTS = (
    # --- the shift, the logarithm and small constants that are there for stability ---
    row("softmax_unshifted", "No shift: exp overflows (the tutorials; chainer/chainer#6366)", ("x.max(-1, keepdims=True)", "np.zeros_like(x[..., :1])")),
    row("log_softmax_unshifted", "No shift: x - log(sum(exp(x))) (the tutorials; chainer/chainer#6366)", ("x.max(-1, keepdims=True)", "np.zeros_like(x[..., :1])")),
    row("logsumexp_unshifted", "No shift: log(sum(exp(x))) (the tutorials)", ("x.max(-1, keepdims=True)", "np.zeros_like(x[..., :1])")),
    row("cross_entropy_shifted_by_mean", "A shift by the mean of a row: one large logit still overflows", ("x.max(-1, keepdims=True)", "x.mean(-1, keepdims=True)")),
    row("softmax_shifted_by_magnitude", "A shift by max(abs(x)): every exp underflows where all logits are far below 0", ("x.max(-1, keepdims=True)", "np.abs(x).max(-1, keepdims=True)")),
    row("log_softmax_shifted_by_all", "A shift by the largest logit of the batch: another row's sum underflows to 0", ("x.max(-1, keepdims=True)", "np.broadcast_to(x.max(), x[..., :1].shape)")),
    row("softmax_stale_maximum", "An online sum that is not rescaled when the maximum grows", ("e.sum(-1, keepdims=True)", "stale_sum(x, e)")),
    row("log_softmax_of_softmax", "The logarithm of a rounded probability (the tutorials)", ("(x - m) - np.log(s)", "np.log(probs_of(x))")),
    row("cross_entropy_epsilon_in_log", "log(p + 1e-7) (the tutorials; tf.compat.v1.losses.log_loss)", ("(x - m) - np.log(s)", "np.log(probs_of(x) + 1e-7)")),
    row("cross_entropy_clipped_probabilities", "Probabilities of logits clipped to [1e-7, 1 - 1e-7] (keras-team/keras#17634)", ("(x - m) - np.log(s)", "np.log(np.clip(probs_of(x), 1e-7, 1 - 1e-7))")),
    row("cross_entropy_floored_probabilities", "log(max(p, 1e-20)): no loss above 46.05 (Oneflow-Inc/oneflow#3137)", ("(x - m) - np.log(s)", "np.log(np.maximum(probs_of(x), 1e-20))")),
    row("softmax_epsilon_in_denominator", "1e-7 added to the sum, against a division by 0 that the shift has already ruled out", ("e.sum(-1, keepdims=True)", "e.sum(-1, keepdims=True) + 1e-7")),
    row("log_softmax_lse_minus_x", "The maximum added before x is subtracted: the offset eats the digits", ("(x - m) - np.log(s)", "x - lse_of(x)[..., None]"), expect="formula"),
    row("cross_entropy_lse_minus_picked", "The lse minus the picked logit (google-deepmind/optax#1792, ml-explore/mlx#4188)", ("(x - m) - np.log(s)", "x - lse_of(x)[..., None]"), expect="formula"),
    row("log_softmax_clipped_logits", "Logits clipped to [-50, 50] so that exp cannot overflow", ("np.moveaxis(wide(values), axis, -1)", "np.clip(np.moveaxis(wide(values), axis, -1), -50, 50)")),
    row("logsumexp_tie_counted_once", "log1p of the sum without the maximum, where several classes are the maximum", ("(m + np.log(s))", "(m + np.log1p(np.where(x == m, 0, np.exp(x - m)).sum(-1, keepdims=True)))")),
    row("cross_entropy_capped", "No loss above 100 (as BCE has it, pytorch/pytorch#31453), where logits need no floor", ("times(w, -log_probs_of(x)).sum(-1)", "np.minimum(times(w, -log_probs_of(x)).sum(-1), 100)")),

    # --- the borders of blocks, vector lanes and unrolled loops ---
    row("softmax_last_class_dropped", "The loop of the sum ends one class too early", ("e.sum(-1, keepdims=True)", "e[..., :-1].sum(-1, keepdims=True)")),
    row("cross_entropy_first_class_dropped", "The sum begins after the class that gave the first maximum", ("e.sum(-1, keepdims=True)", "e[..., 1:].sum(-1, keepdims=True)")),
    row("log_softmax_tail_of_8_dropped", "What is left beyond a multiple of 8 classes is not summed", ("e.sum(-1, keepdims=True)", "e[..., : e.shape[-1] // 8 * 8 or None].sum(-1, keepdims=True)")),
    row("logsumexp_tail_of_16_twice", "The tail beyond 16 classes is read as a full vector, and overlaps", ("e.sum(-1, keepdims=True)", "tail_twice(e, 16)"), full=("5x33", "10 classes are less than 16")),
    row("softmax_block_of_32_off_by_one", "A warp of 32 leaves out its last class where another one follows", ("e.sum(-1, keepdims=True)", "without_block_ends(e, 32)"), full=("5x33", "10 classes are less than 32")),
    row("cross_entropy_block_of_1024_off_by_one", "A block of 1024 threads leaves out its last class where another one follows", ("e.sum(-1, keepdims=True)", "without_block_ends(e, 1024)"), full=("float64/4x50257", "10 classes are less than 1024")),
    row("log_softmax_one_block_only", "Only the first 1024 classes are summed: one block of threads, no loop", ("e.sum(-1, keepdims=True)", "e[..., :1024].sum(-1, keepdims=True)"), full=("float64/4x50257", "10 classes are less than 1024")),
    row("log_softmax_narrow_row_is_nan", "NaN in rows narrower than a block of 16, padded with -inf (gabrieldemarmiesse/torch-mojo-backend#319)", ("e.sum(-1, keepdims=True)", "e.sum(-1, keepdims=True) * (1 if e.shape[-1] >= 16 else np.nan)")),
    row("softmax_padded_with_zeros", "Rows are padded to a multiple of 8 classes with 0, where -inf is neutral", ("e.sum(-1, keepdims=True)", "e.sum(-1, keepdims=True) + -x.shape[-1] % 8 * np.exp(-m)")),
    row("logsumexp_maximum_of_first_lanes", "The maximum is that of the first 8 classes: others may overflow", ("x.max(-1, keepdims=True)", "x[..., :8].max(-1, keepdims=True)")),
    row("cross_entropy_rows_by_four", "Rows beyond a multiple of 4 are left out of the sum", ("losses.sum()", "losses.ravel()[: losses.size // 4 * 4 or None].sum()")),
    row("nll_loss_row_255_dropped", "The last row of every 256 is left out of the sum", ("losses.sum()", "np.where(np.arange(losses.size) % 256 == 255, 0, losses.ravel()).sum()"), full=("300x4", "4 rows are less than 256")),
    row("cross_entropy_rows_beyond_65535", "Rows beyond the 65535 of a grid of threads are left out of the sum", ("losses.sum()", "losses.ravel()[:65535].sum()"), full=("70000x5", "4 rows fit into 16 bits")),

    # --- too few digits: sums, constants, exponentials ---
    row("softmax_sums_in_16_bits", "Sums of 16-bit logits run in 16 bits (huggingface/candle#3727, sonos/tract#2586)", *IN_16_BITS, expect="narrow"),
    row("log_softmax_sums_in_16_bits", "The sum of bfloat16 ones sticks at 256 (pytorch/executorch#20090)", *IN_16_BITS, expect="narrow"),
    row("logsumexp_sums_in_16_bits", "The sum of float16 exponentials sticks at 2048, or overflows (google-research/last#43)", *IN_16_BITS, expect="narrow"),
    row("cross_entropy_losses_in_float16", "Losses are summed in float16 before they are divided (pytorch/pytorch#29429)", ("total = losses.sum()", "total, divisor = in_float16(losses, divisor)")),
    row("cross_entropy_everything_in_16_bits", "Every step runs in the 16-bit dtype of the logits (google-deepmind/optax#1020)", ("values.astype(np.float32) if values.dtype.itemsize == 2 else values", "values"), expect="narrow"),
    row("softmax_float32_inside", "float64 goes through float32, as JAX does where x64 is off", ("values.astype(np.float32) if values.dtype.itemsize == 2 else values", "values.astype(np.float32)")),
    row("cross_entropy_float32_sum", "Float64 losses are reduced in float32 (tf.compat.v1.losses)", ("total = losses.sum()", "total, divisor = losses.astype(np.float32).sum(), np.float32(divisor)")),
    row("cross_entropy_float32_constant", "label_smoothing is rounded to float32 on its way into a float64 kernel", ("x = rows(values, 1)", "x, label_smoothing = rows(values, 1), float(np.float32(label_smoothing))")),
    row("cross_entropy_half_target", "Soft targets are kept in float16 to save memory", ("q = rows(target, 1)", "q = rows(target.astype(np.float16).astype(x.dtype), 1)")),
    row("softmax_cheap_exp", "An exp that is good to 2^-20 only", ("e = np.exp(x - m)", "e = cheap_exp(x - m)")),
    row("logsumexp_coarse_exp", "An exp that is good to 2^-16 only", ("e = np.exp(x - m)", "e = np.exp(x - m) + (cheap_exp(x - m) - np.exp(x - m)) * 16")),
    row("log_softmax_cheap_log", "A constant ln 2 with four digits", ("(x - m) - np.log(s)", "(x - m) - np.log2(s) * 0.6931")),
    row("softmax_cheap_reciprocal", "The processor's estimate of 1/s, good to 11 bits, without a Newton step", ("e / s", "e * (1 / s).astype(np.float16).astype(e.dtype)")),
    row("log_sigmoid_softplus_threshold", "Softplus is linear above 20, which float32 forgives (torch.nn.Softplus)", ("np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))", "np.where(x > 20, x, np.log1p(np.exp(np.minimum(x, 20))))")),
    row("sigmoid_by_tanh", "(1 + tanh(x/2))/2: no digit of the left tail is left", ("np.where(x >= 0, 1, e) / (1 + e)", "0.5 * (1 + np.tanh(x / 2))")),

    # --- NaN, infinities, zeros, subnormals and dtypes ---
    row("softmax_nan_swallowed", "A NaN is taken for 0, and nobody hears of it", ("np.moveaxis(wide(values), axis, -1)", "np.nan_to_num(np.moveaxis(wide(values), axis, -1), nan=0.0, posinf=np.inf, neginf=-np.inf)"), expect="convention:undefined_number"),
    row("log_softmax_nan_kept_to_itself", "Maximum and sum skip NaN: only the NaN element is NaN (mindspore-ai/mindspore#378)", ("x.max(-1, keepdims=True)", "np.fmax.reduce(x, -1, keepdims=True)"), ("e.sum(-1, keepdims=True)", "np.nansum(e, -1, keepdims=True)"), expect="convention:undefined_nan+number"),
    row("log_softmax_masked_is_finite", "-inf is replaced by -1e4: a masked class has a finite log-probability", ("np.moveaxis(wide(values), axis, -1)", "np.maximum(np.moveaxis(wide(values), axis, -1), -1e4)")),
    row("softmax_uniform_where_masked", "1/C where every class is masked (tenstorrent/tt-metal#56056)", ("e / s", "np.where((x == -np.inf).all(-1, keepdims=True), 1 / x.shape[-1], e / s)"), expect="convention:undefined_number"),
    row("cross_entropy_masked_block_is_nan", "-inf - (-inf) in a block of masked classes (Dao-AILab/flash-attention#1930)", ("e.sum(-1, keepdims=True)", "online(x, 4, masked=False)")),
    row("logsumexp_masked_wide_block_is_nan", "The same with a block of 32 classes (Dao-AILab/flash-attention#1930)", ("e.sum(-1, keepdims=True)", "online(x, 32, masked=False)"), full=("neg_inf_but_one", "10 classes are less than 32")),
    row("cross_entropy_zero_times_infinity", "A label of 0 times a log-probability of -inf (google-deepmind/optax#896)", ("np.where(w == 0, 0, w * l)", "w * l")),
    row("cross_entropy_infinite_loss_is_zero", "An infinite loss is dropped, as zero_infinity does it in CTC", ("times(w, -log_probs_of(x)).sum(-1)", "np.nan_to_num(times(w, -log_probs_of(x)).sum(-1), nan=np.nan, posinf=0, neginf=0)")),
    row("softmax_cut_off", "An exp that is 0 below -20", ("e = np.exp(x - m)", "e = np.where(x - m < -20, 0, np.exp(x - m))")),
    row("softmax_flushes_subnormals", "Subnormal results are 0, as a flush-to-zero mode has them", ("np.asarray(result).astype(like.dtype)", "flushed(np.asarray(result).astype(like.dtype))"), expect="flushed"),
    row("softmax_flushes_too_early", "Normal results below 1e-30 are flushed to 0", ("np.asarray(result).astype(like.dtype)", "np.where(np.abs(result) < 1e-30, 0, result).astype(like.dtype)")),
    row("log_softmax_saturates", "-inf comes back as the largest finite number", ("np.asarray(result).astype(like.dtype)", "saturated(result, like.dtype).astype(like.dtype)")),
    row("log_sigmoid_sign_lost", "-log_sigmoid, as a loss has it: the sign bit is lost", ("np.asarray(result).astype(like.dtype)", "np.abs(np.asarray(result).astype(like.dtype))")),
    row("sigmoid_always_float32", "The result is float32, whatever came in (SciPy's expit for float16)", ("np.asarray(result).astype(like.dtype)", "np.asarray(result).astype(np.float32)")),
    row("cross_entropy_probs_renormalised", "Probabilities are divided by their sum first (Keras' categorical losses)", ("times(w, -np.log(x)).sum(-1)", "times(w, -np.log(x / x.sum(-1, keepdims=True))).sum(-1)"), expect="convention:renormalised"),
    row("cross_entropy_probs_epsilon", "log(p + 1e-7) of given probabilities (the tutorials)", ("times(w, -np.log(x)).sum(-1)", "times(w, -np.log(x + 1e-7)).sum(-1)")),

    # --- what the mean divides by ---
    row("cross_entropy_mean_over_all_rows", "The mean divides by N, not by the sum of weights (keras-team/keras#19740)", ("(w * q).sum(-1).sum()", "q.dtype.type(counts.size)"), expect="convention:mean_over_rows"),
    row("nll_loss_mean_over_all_rows", "Ignored rows count in the denominator of the mean (llvm/torch-mlir#3585)", ("(w * q).sum(-1).sum()", "q.dtype.type(counts.size)"), expect="convention:mean_over_rows"),
    row("nll_loss_mean_over_counted_rows", "The mean divides by how many rows count, although they have weights", ("(w * q).sum(-1).sum()", "q.dtype.type(counts.sum())"), expect="convention:mean_over_nonzero_weights"),
    row("cross_entropy_mean_over_one_row_less", "The mean divides by N - 1, as a variance would", ("counts, divisor, w * keep", "counts, divisor - 1, w * keep")),
    row("cross_entropy_soft_mean_over_weights", "Soft targets divided as index targets are, by sum(w q) (pytorch/pytorch#61044)", ("divisor = q.dtype.type(counts.size)", "divisor = (w * q).sum()"), expect="convention:mean_over_weights"),
    row("cross_entropy_sum_for_mean", 'reduction="mean" is understood as a sum, the attribute misread (llvm/torch-mlir#3585)', ("total / divisor", "total")),
    row("cross_entropy_mean_of_means", "The mean of each sample's mean, where samples have different numbers of counted rows", ("total / divisor", "mean_of_means(losses, divisor)"), full=("2x3x2x2", "equally many rows of each sample count")),

    # --- label smoothing ---
    row("cross_entropy_smoothing_of_ignored_rows", "The smooth part counts ignored rows (pytorch/pytorch#73205, tinygrad/tinygrad#3570)", ("share * counts[..., None]", "share")),
    row("cross_entropy_smoothing_over_batch", "Smoothing over the wrong axis: ε is divided by the number of samples", ("label_smoothing / classes", "label_smoothing / len(q)")),
    row("cross_entropy_smoothing_over_others", "ε is shared by the other C - 1 classes, as fairseq's label_smoothed_nll_loss has it", ("label_smoothing / classes", "label_smoothing / max(classes - 1, 1)"), ("share * counts[..., None]", "share * (counts[..., None] & (q == 0))")),
    row("cross_entropy_smooth_part_unweighted", "Class weights are not applied to the smooth part (pytorch/pytorch#72056)", ("w * (q * keep + share * counts[..., None])", "w * q * keep + share * counts[..., None]")),
    row("cross_entropy_smoothing_added", "The target is q + ε/C, and not (1 - ε) q + ε/C", ("q * keep", "q")),
    row("cross_entropy_smoothing_of_index_only", "One-hot and soft targets are not smoothed", ("q = rows(target, 1)", "q, label_smoothing = rows(target, 1), 0.0")),

    # --- class weights ---
    row("cross_entropy_weight_of_likeliest", "The weight of a soft target's likeliest class for its whole row (Keras' class_weight)", ("w * (q * keep", "w[q.argmax(-1)][..., None] * (q * keep")),
    row("nll_loss_weight_twice", "The weight is applied to the labels and to the loss", ("w * (q * keep", "w * w * (q * keep")),
    row("cross_entropy_weight_forgotten", "The weight is in the divisor of the mean only", ("w * (q * keep", "(q * keep")),
    row("binary_cross_entropy_with_logits_weight_along_last", "Class weights are spread along the last axis, where the classes are on axis 1 of three", ("wide(weight).reshape(-1, *[1] * (like.ndim - 2))", "wide(weight)")),

    # --- ignored rows and labels out of range ---
    row("cross_entropy_ignores_minus_100_only", "The default of ignore_index is written into the kernel", ("counts = target != ignore_index", "counts = target != -100")),
    row("cross_entropy_default_not_ignored", "ignore_index is honoured only if it is not -100 (flagos-ai/FlagGems#73)", ("counts = target != ignore_index", "counts = (target != ignore_index) | (ignore_index == -100)")),
    row("nll_loss_ignores_labels_only", "A negative ignore_index is not honoured: the row counts as class 0", ("counts = target != ignore_index", "counts, target = (target != ignore_index) | (ignore_index < 0), np.maximum(target, 0)")),
    row("cross_entropy_ignored_class_leaves", "ignore_index masks a class, not rows (awslabs/sockeye#203; asked in pytorch#63004)", ("x = rows(values, 1)", "x = rows(without_class(values, target, ignore_index), 1)")),
    row("nll_loss_checks_ignored_labels", "An ignored label must be one of the classes (pytorch/pytorch#15508, thunder#1752)", ("checked(target, counts, classes)\n", "checked(target, np.ones_like(counts), classes)\n")),
    row("nll_loss_index_wraps", "Negative labels count from the end (google-deepmind/optax#1185, PaddlePaddle#36891)", ("checked(target,", "checked(np.where(counts & (target < 0), target + classes, target),"), expect="convention:bad_index_wraps"),
    row("cross_entropy_index_clamped", "A label that is too large is the last class (PaddlePaddle/Paddle#10945)", ("checked(target,", "checked(np.clip(target, 0, classes - 1),"), expect="convention:bad_index_clamped"),
    row("nll_loss_bad_index_as_zeros", "A label out of range is a row of zeros, as one_hot makes it (google-deepmind/optax#1185)", ("checked(target, counts, classes)", "target"), expect="convention:bad_index_as_zeros"),
    row("nll_loss_bad_index_is_nan", "A label out of range gives NaN, silently (tensorflow/tensorflow#126005)", ("checked(target, counts, classes)", "np.clip(target, 0, classes - 1)"), ("w * (q * keep", "np.where(counts & (labels != target), np.nan, 1).astype(w.dtype)[..., None] * w * (q * keep"), expect="convention:bad_index_is_nan"),
    row("nll_loss_labels_in_int8", "The label wraps in its small type, as int32 does in PaddlePaddle/Paddle#30590", ("checked(target, counts, classes)", "checked(target, counts, classes).astype(np.int8).astype(int) % classes"), full=("2x1000", "10 classes fit into an int8")),
    row("cross_entropy_labels_of_next_row", "Labels shifted by one against the logits, as a language model shifts them once too often", ("x = rows(values, 1)", "x, target = rows(values, 1), np.roll(target, -1, 0)")),

    # --- axes ---
    row("softmax_over_last_axis", "The axis is not read", *LAST_AXIS),
    row("cross_entropy_flat_without_moving", "(N, C, d) reshaped to (N d, C) without moving the axis", ("np.moveaxis(wide(values), axis, -1)", "wide(values).reshape(np.moveaxis(values, axis, -1).shape)"), ("np.moveaxis(result, -1, axis)", "result.reshape(like.shape)")),
    row("logsumexp_keeps_axis", "The reduced axis stays, with length 1", ("lse_of(rows(logits, axis))", "np.expand_dims(lse_of(rows(logits, axis)), axis)")),

    # --- right values with wrong gradients ---
    row("cross_entropy_gradient_without_mean", "The gradient lacks 1/N", ("v / divisor", "v")),
    row("nll_loss_gradient_divided_twice", "The gradient is divided by N in the kernel and once more outside", ("v / divisor", "v / divisor / divisor")),
    row("softmax_cotangent_ignored", "The gradient takes every cotangent for 1 (PaddlePaddle/Paddle#5395)", ("p * (v - (p * v).sum(-1, keepdims=True))", "p * (1 - p.sum(-1, keepdims=True))")),
    row("cross_entropy_cotangent_ignored", "The upstream gradient of unreduced losses is ignored (PaddlePaddle/Paddle#5395)", ("np.broadcast_to(wide(cotangent), shape)", "np.ones(shape, wide(cotangent).dtype)")),
    row("cross_entropy_gradient_p_minus_q", "The gradient p - q, without the sum of q (tensorflow/tensorflow#46672)", ("p * w.sum(-1, keepdims=True) - w", "p - w")),
    row("cross_entropy_cotangent_of_mean_ignored", "The gradient of a mean or a sum is computed in the forward pass, for an upstream gradient of 1", ("v = np.broadcast_to(wide(cotangent), shape)", 'v = wide(np.broadcast_to(cotangent if reduction == "none" else np.ones_like(cotangent), shape))')),
    row("binary_cross_entropy_with_logits_cotangent_of_mean_ignored", "The same in a binary loss", ("v = np.broadcast_to(wide(cotangent), shape)", 'v = wide(np.broadcast_to(cotangent if reduction == "none" else np.ones_like(cotangent), shape))')),
    row("softmax_gradient_of_diagonal", "The gradient p (1 - p) v, the tutorials' derivative of a softmax with respect to its own logit", ("p * (v - (p * v).sum(-1, keepdims=True))", "p * (1 - p) * v")),
    row("log_softmax_gradient_of_softmax", "The gradient is that of softmax, and not of log_softmax", ("v - p * v.sum(-1, keepdims=True)", "p * (v - (p * v).sum(-1, keepdims=True))")),
    row("log_softmax_gradient_without_sum", "The gradient v - p, right only where the cotangents sum to 1", ("v - p * v.sum(-1, keepdims=True)", "v - p")),
    row("cross_entropy_gradient_of_ignored_rows", "Ignored rows have a gradient: p - 0", ("p * w.sum(-1, keepdims=True) - w", "p * np.where(counts, w.sum(-1), 1)[..., None] - w"), ("np.where(counts[..., None], by_logits, 0)", "by_logits")),
    row("cross_entropy_ignored_row_poisons", "Ignored rows are multiplied by 0, NaN and all (pytorch/pytorch#11551)", ("np.where(counts[..., None], by_logits, 0)", "by_logits * counts[..., None]")),
    row("cross_entropy_gradient_unsmoothed", "The gradient is p - q, with the q that was not smoothed", ("slope = loss_rows(logits, target, **options)", "slope = loss_rows(logits, target, **{**options, 'label_smoothing': 0.0})")),
    row("cross_entropy_gradient_unweighted", "The weights are missing in the gradient", ("slope = loss_rows(logits, target, **options)", "slope = loss_rows(logits, target, **{**options, 'weight': None})")),
    row("logsumexp_gradient_of_result", "exp(x - lse) with the rounded lse, which keeps no digit of a large offset (torch)", ("wide(cotangent)[..., None] * probs_of(x)", "wide(cotangent)[..., None] * np.exp(x - lse_of(x)[..., None])")),
    row("cross_entropy_target_gradient_bare", "The gradient with respect to the target is -log p, without weight and 1 - ε", ("times(slope, -log_probs_of(x))", "-log_probs_of(x)")),
    row("cross_entropy_target_gradient_sign", "The gradient with respect to the target is log p: the sign is lost", ("times(slope, -log_probs_of(x))", "-times(slope, -log_probs_of(x))")),
    row("sigmoid_slope_cancels", "The slope s (1 - s) from the rounded s: 0 far to the right, but not far to the left", ("sigma(x) * sigma(-x)", "sigma(x) * (1 - sigma(x))"), expect="formula"),
    row("sigmoid_slope_of_result", "The gradient is that at s(x), not at x: the wrong tensor was saved", ("sigma(x) * sigma(-x)", "sigma(sigma(x)) * sigma(-sigma(x))")),
    row("log_sigmoid_no_slope_at_zero", "The slope of abs at 0: the gradient there is 0, not 1/2 (jax-ml/jax#2140)", ("wide(cotangent) * sigma(-x)", "wide(cotangent) * np.where(x == 0, 0, sigma(-x))")),
    row("log_sigmoid_no_slope_in_the_tail", "The gradient is 0 beyond 20 (pytorch/pytorch#1516)", ("wide(cotangent) * sigma(-x)", "wide(cotangent) * np.where(np.abs(x) > 20, 0, sigma(-x))")),
    row("binary_cross_entropy_with_logits_no_slope_at_zero", "The gradient at 0 is 0 (pytorch/pytorch#2298)", ("(1 - z) * sigma(x) - p * z * sigma(-x)", "np.where(x == 0, 0, (1 - z) * sigma(x) - p * z * sigma(-x))")),
    row("binary_cross_entropy_with_logits_slope_cancels", "The slope s - z from the rounded s: 0 for a confident hit (pytorch/pytorch#195677)", ("(1 - z) * sigma(x) - p * z * sigma(-x)", "sigma(x) * (1 - z + p * z) - p * z"), expect="formula"),
    row("binary_cross_entropy_with_logits_gradient_without_pos_weight", "pos_weight is missing in the gradient", ("(1 - z) * sigma(x) - p * z * sigma(-x)", "(1 - z) * sigma(x) - z * sigma(-x)")),
    row("binary_cross_entropy_gradient_unweighted", "The weights are missing in the gradient", ("x, z, w, divisor = elements(probs, target, weight)\n    v =", "x, z, w, divisor = elements(probs, target, None)\n    v =")),
    row("binary_cross_entropy_gradient_floored", "The denominator p (1 - p) of the gradient is floored at 1e-3", ("times(1 - z, 1 / (1 - x)) - times(z, 1 / x)", "(x - z) / np.maximum(x * (1 - x), 1e-3)")),

    # --- sigmoid and log_sigmoid ---
    row("sigmoid_exp_of_logit", "e^x/(1 + e^x) is inf/inf for large x (the tutorials)", ("np.where(x >= 0, 1, e) / (1 + e)", "np.exp(x) / (1 + np.exp(x))")),
    row("log_sigmoid_exp_of_logit", "-log1p(exp(-x)) overflows for very negative x (pytorch/pytorch#2298)", ("np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))", "np.log1p(np.exp(x))")),
    row("sigmoid_one_minus", "1 - s(-x) on the left, where it cancels", ("np.where(x >= 0, 1, e) / (1 + e)", "np.where(x >= 0, 1 / (1 + e), 1 - 1 / (1 + e))")),
    row("sigmoid_saturates", "0 and 1 beyond 16, as a table of values ends", ("np.where(x >= 0, 1, e) / (1 + e)", "np.where(np.abs(x) > 16, x > 0, np.where(x >= 0, 1, e) / (1 + e))")),
    row("log_sigmoid_of_sigmoid", "log(s(x)): -inf on the far left (the tutorials)", ("np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))", "-np.log(sigma(-x))")),
    row("log_sigmoid_epsilon", "log(s(x) + 1e-7)", ("np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))", "-np.log(sigma(-x) + 1e-7)")),

    # --- binary losses of logits ---
    row("binary_cross_entropy_with_logits_one_sided", "exp(-x) overflows for very negative logits (pytorch/pytorch#1792)", ("times(p * z, softplus(-x)) + times(1 - z, softplus(x))", "(1 - z) * x + (1 - z + p * z) * np.log1p(np.exp(-x))")),
    row("binary_cross_entropy_with_logits_pos_weight_overflows", "The branch with pos_weight has no shift (pytorch/pytorch#13773)", ("times(p * z, softplus(-x)) +", "(1 - z) * x + (1 - z + p * z) * np.log1p(np.exp(-x)) if (p != 1).any() else times(p * z, softplus(-x)) +")),
    row("binary_cross_entropy_with_logits_infinite", "NaN of inf - inf and 0 times inf at infinite logits (pyro-ppl/numpyro#2240)", ("times(p * z, softplus(-x)) + times(1 - z, softplus(x))", "(1 - z) * x + (1 + (p - 1) * z) * (np.log1p(np.exp(-np.abs(x))) + np.maximum(-x, 0))")),
    row("binary_cross_entropy_with_logits_of_sigmoid", "BCE of the rounded sigmoid, floored at -100 (pytorch/pytorch#24933)", ("times(p * z, softplus(-x)) + times(1 - z, softplus(x))", "-(p * z * np.maximum(np.log(sigma(x)), -100) + (1 - z) * np.maximum(np.log1p(-sigma(x)), -100))")),
    row("binary_cross_entropy_with_logits_mean_over_rows", "The mean of sums over the classes (pytorch/pytorch#9301, the other way round)", ("w.dtype.type(w.size)", "w.dtype.type(len(w))")),
    row("binary_cross_entropy_with_logits_pos_weight_on_both", "pos_weight multiplies both terms (PaddlePaddle/Paddle#65859)", ("times(p * z, softplus(-x)) + times(1 - z, softplus(x))", "p * (times(z, softplus(-x)) + times(1 - z, softplus(x)))")),
    row("binary_cross_entropy_with_logits_pos_weight_on_misses", "pos_weight multiplies the wrong term (PaddlePaddle/Paddle#54869)", ("times(p * z, softplus(-x)) + times(1 - z, softplus(x))", "times(z, softplus(-x)) + times(p * (1 - z), softplus(x))")),
    row("binary_cross_entropy_with_logits_rounded_target", "A fractional target is taken for a label", ("z, w = wide(target),", "z, w = (wide(target) > 0.5).astype(x.dtype),")),
    row("binary_cross_entropy_with_logits_unchecked", "A target of 2 gives a negative loss (pytorch/pytorch#123339)", UNCHECKED),

    # --- binary losses of probabilities ---
    row("binary_cross_entropy_clipped", "Probabilities clipped to [1e-7, 1 - 1e-7] (keras-team/keras#377)", UNCHECKED, ("x = wide(values)", "x = np.clip(wide(values), 1e-7, 1 - 1e-7)"), ("times(w, times(1 - z, 1 / (1 - x)) - times(z, 1 / x))", "times(w, np.where(x == wide(probs), times(1 - z, 1 / (1 - x)) - times(z, 1 / x), 0))"), expect="convention:clip_1e-7"),
    row("binary_cross_entropy_log_floor", "The logarithm is never below -100 (pytorch/pytorch#31453)", ("times(z, np.log(x)) + times(1 - z, np.log1p(-x))", "z * np.maximum(np.log(x), -100) + (1 - z) * np.maximum(np.log1p(-x), -100)"), expect="convention:log_floor_-100"),
    row("binary_cross_entropy_epsilon_in_logs", "1e-7 is added in both logarithms (tensorflow/tensorflow#62204)", ("times(z, np.log(x)) + times(1 - z, np.log1p(-x))", "z * np.log(x + 1e-7) + (1 - z) * np.log(1 - x + 1e-7)")),
    row("binary_cross_entropy_zero_times_log", "0 log 0 is NaN for p in {0, 1} (ml-explore/mlx#1280)", ("times(z, np.log(x)) + times(1 - z, np.log1p(-x))", "z * np.log(x) + (1 - z) * np.log1p(-x)")),
    row("binary_cross_entropy_log_of_one_minus", "log(1 - p) next to 0 loses the digits that log1p(-p) keeps", ("times(1 - z, np.log1p(-x))", "times(1 - z, np.log(1 - x))"), expect="formula"),
    row("binary_cross_entropy_too_large_is_one", "A probability above 1 is accepted (pytorch/pytorch#51866)", UNCHECKED, ("x = wide(values)", "x = np.minimum(wide(values), 1)")),
    row("binary_cross_entropy_mean_over_weights", "The mean divides by the sum of weights, where it is over the elements", ("w.dtype.type(w.size)", "w.sum()"), expect="convention:mean_over_weights"),
)

globals().update(functions_of(FAULTS))
