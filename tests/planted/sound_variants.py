"""Sound ways to compute the same: one a line, as in `faults`, and no finding is expected."""

# ruff: noqa: E501 -- one line a variant
# fmt: off

from __future__ import annotations

from .altered import functions_of, row

EXP2 = ("e = np.exp(x - m)", "e = np.exp2((x - m) * x.dtype.type(1.4426950408889634))")
WIDER = ("values.astype(np.float32) if values.dtype.itemsize == 2 else values", "values.astype(np.longdouble if values.dtype == np.float64 else np.float64)")
EXPIT = ("np.where(x >= 0, 1, e) / (1 + e)", "special.expit(x)")
LOG_EXPIT = ("np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))", "-special.log_expit(-x)")
LOGADDEXP = ("np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))", "np.logaddexp(0, x)")

VARIANTS = (
    # --- how many passes, in which order, in which base ---
    row("softmax_online", "One pass with a running maximum", ("e.sum(-1, keepdims=True)", "online(x, 1, masked=True)")),
    row("logsumexp_online", "One pass with a running maximum", ("e.sum(-1, keepdims=True)", "online(x, 1, masked=True)")),
    row("cross_entropy_online", "One pass with a running maximum", ("e.sum(-1, keepdims=True)", "online(x, 1, masked=True)")),
    row("softmax_blocked", "Blocks of 4 classes, each with a maximum of its own", ("e.sum(-1, keepdims=True)", "blocked(x, m, 4)")),
    row("log_softmax_blocked", "Blocks of 4 classes, each with a maximum of its own", ("e.sum(-1, keepdims=True)", "blocked(x, m, 4)")),
    row("log_softmax_pairwise", "A tree of sums", ("e.sum(-1, keepdims=True)", "pairwise(e)")),
    row("softmax_sequential", "From the first class to the last", ("e.sum(-1, keepdims=True)", "sequential(e, e.dtype)")),
    row("logsumexp_backwards", "From the last class to the first, in Fortran order", ("e.sum(-1, keepdims=True)", "np.asfortranarray(e[..., ::-1]).sum(-1, keepdims=True)")),
    row("log_softmax_sorted", "From the smallest to the largest", ("e.sum(-1, keepdims=True)", "np.cumsum(np.sort(e, axis=-1), axis=-1)[..., -1:]")),
    row("softmax_kahan", "A compensated sum", ("e.sum(-1, keepdims=True)", "kahan(e)")),
    row("log_softmax_wider_inside", "float64 inside, for float64 the widest that there is; rounded once", WIDER),
    row("cross_entropy_wider_inside", "float64 inside, for float64 the widest that there is; rounded once", WIDER),
    row("softmax_base_two", "exp2, as fused kernels on GPUs have it", EXP2),
    row("logsumexp_base_two", "exp2 and log2, as fused kernels on GPUs have them", EXP2, ("(m + np.log(s))", "(m + np.log2(s) * x.dtype.type(0.6931471805599453))")),
    row("logsumexp_top_left_out", "log1p of the sum over all classes but one maximal, as SciPy has it", ("(m + np.log(s))", "(m + np.log1p(without_top(x, m)))")),
    row("log_softmax_top_left_out", "log1p of the sum over all classes but one maximal, as SciPy has it", ("(x - m) - np.log(s)", "(x - m) - np.log1p(without_top(x, m))")),
    row("logsumexp_logaddexp", "One logarithm a class, from first to last", ("(m + np.log(s))[..., 0]", "np.logaddexp.reduce(x, axis=-1)")),
    row("softmax_reciprocal", "A product with 1/s", ("e / s", "e * (1 / s)")),
    row("log_softmax_exp_of_log", "softmax as exp(log_softmax), as PyTorch's backward pass has it", ("e / s", "np.exp(log_probs_of(x))")),
    row("cross_entropy_exp_of_log", "softmax as exp(log_softmax), as PyTorch's backward pass has it", ("e / s", "np.exp(log_probs_of(x))")),

    # --- losses over classes: weights, masks, gathers, pure Python ---
    row("cross_entropy_normalised_weights", "The weights are divided by their sum first, then the losses are summed", ("total / divisor", "(losses * (1 / divisor)).sum()"), ("v / divisor", "v * (1 / divisor)")),
    row("cross_entropy_masked_first", "Rows that do not count are replaced by zeros before anything is computed", ("x = rows(values, 1)", "x = rows(masked_first(values, target, ignore_index), 1)")),
    row("cross_entropy_gradient_of_parts", "-w (1 - p) at the target and p (Σw - w) elsewhere: no difference of nearly equal numbers", ("p * w.sum(-1, keepdims=True) - w", "p * (w.sum(-1, keepdims=True) - w) - w * (p.sum(-1, keepdims=True) - p)")),
    row("cross_entropy_lse_minus_x", "A form that cancels: explained, and no finding", ("(x - m) - np.log(s)", "x - lse_of(x)[..., None]")),
    row("log_softmax_lse_minus_x", "A form that cancels: explained, and no finding", ("(x - m) - np.log(s)", "x - lse_of(x)[..., None]")),
    row("cross_entropy_two_calls", "nll_loss of a log_softmax that was rounded to the dtype of the logits", ("times(w, -log_probs_of(x)).sum(-1)", "times(w, -rows(log_softmax(logits, axis=1), 1)).sum(-1)")),
    row("nll_loss_in_python", "A loop over rows, exact sums of float64", ("values.astype(np.float32) if values.dtype.itemsize == 2 else values", "values.astype(np.float64)"), ("times(w, -x).sum(-1)", "in_python(w, x)"), ("losses.sum()", "np.float64(math.fsum(losses.ravel()))")),
    row("nll_loss_gathered", "Only what is picked is touched", ("times(w, -x).sum(-1)", "gathered(w, x)"), ("total / divisor", "np.average(losses / (divisor / losses.size))")),

    # --- sigmoids and binary losses: SciPy, logaddexp, branches ---
    row("sigmoid_expit", "SciPy's expit", EXPIT),
    row("log_sigmoid_expit", "SciPy's log_expit", EXPIT, LOG_EXPIT),
    row("sigmoid_two_branches", "A branch for each sign", ("np.where(x >= 0, 1, e) / (1 + e)", "np.where(x >= 0, 1 / (1 + np.exp(-x)), np.exp(x) / (1 + np.exp(x)))"), ("sigma(x) * sigma(-x)", "np.exp(-np.abs(x)) / (1 + np.exp(-np.abs(x))) / (1 + np.exp(-np.abs(x)))")),
    row("log_sigmoid_two_branches", "A branch for each sign", ("np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))", "np.where(x > 0, x + np.log1p(np.exp(-x)), np.log1p(np.exp(x)))"), ("np.where(x >= 0, 1, e) / (1 + e)", "np.where(x >= 0, 1 / (1 + np.exp(-x)), np.exp(x) / (1 + np.exp(x)))")),
    row("log_sigmoid_logaddexp", "logaddexp(0, x)", LOGADDEXP),
    row("binary_cross_entropy_xlogy", "SciPy's xlogy and xlog1py", ("times(z, np.log(x)) + times(1 - z, np.log1p(-x))", "special.xlogy(z, x) + special.xlog1py(1 - z, -x)")),
    row("binary_cross_entropy_with_logits_expit", "SciPy's expit and log_expit", EXPIT, LOG_EXPIT),
    row("binary_cross_entropy_with_logits_logaddexp", "logaddexp(0, x)", LOGADDEXP),
    row("binary_cross_entropy_with_logits_max_minus_product", "max(x, 0) - xz + log1p(exp(-|x|)) where x is finite: cancels", ("times(p * z, softplus(-x)) + times(1 - z, softplus(x))", "np.where(np.isinf(x), times(p * z, softplus(-x)) + times(1 - z, softplus(x)), (1 - z) * x + (1 + (p - 1) * z) * (np.log1p(np.exp(-np.abs(x))) + np.maximum(-x, 0)))")),
)

globals().update(functions_of(VARIANTS))
