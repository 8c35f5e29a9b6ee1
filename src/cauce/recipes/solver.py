"""Linear models with an L2 penalty, on sparse rows: dual coordinate ascent.

Multinomial logistic regression (`fit`; of two labels it serves one-vs-rest) and ridge regression (`fit_ridge`). The first:

    min over W of  1/2 |W|^2 + C sum_i c_i (log sum_k exp(z_ik) - z_iy),   z_i = W x_i

Each row has a distribution q_i over the labels; W = C sum_i c_i x_i (e_y - q_i) holds all along. A step moves q_i toward
softmax(z_i), as far as a few Newton steps on the dual say. The mean of KL(q_i, softmax(z_i)) is the duality gap (over C
and weight): the rule to stop. See Shalev-Shwartz and Zhang, "Accelerated proximal stochastic dual coordinate ascent",
2014, and Yu, Huang and Lin, "Dual coordinate descent methods for logistic regression", 2011.

One thread a fit: the weights do not depend on how many there are.
"""

from __future__ import annotations

import numpy as np

from cauce.text.compiled import kernel

SMOOTH = 1e-3  # q starts at the truth, this far off: its logarithm must exist
TINY = 1e-30
NEWTON, CLOSE = 8, 0.05  # tries to find how far to go, and which share of the slope may be left


@kernel
def _shuffle(order, state):
    """Put `order` into a random order in place (Fisher-Yates, xorshift); returns the next state."""
    for i in range(order.size - 1, 0, -1):
        state ^= state << np.uint64(13)
        state ^= state >> np.uint64(7)
        state ^= state << np.uint64(17)
        other = np.int64(state % np.uint64(i + 1))
        order[i], order[other] = order[other], order[i]
    return state


@kernel
def fit(starts, columns, values, truth, costs, penalty, epochs, tolerance, seed, weights, bias, stop):
    """Fit `weights` (columns, width >= labels) and `bias` (labels,), both zero at the start. Returns epochs done and the gap.

    Row i has `values[starts[i]:starts[i + 1]]` at `columns[...]`. `penalty` is C, `costs` the weights of the rows.
    Ends early where the gap is under `tolerance`, or `stop[0]` is set.
    """
    rows, labels, width = truth.size, bias.size, weights.shape[1]
    q = np.full((rows, labels), SMOOTH / labels)
    squares = np.empty(rows)
    z, p, d = np.empty(labels), np.empty(labels), np.empty(labels)
    z32, step32 = np.zeros(width, np.float32), np.zeros(width, np.float32)
    for i in range(rows):
        q[i, truth[i]] += 1 - SMOOTH
        total = 1.0  # the bias is a column of ones
        for j in range(starts[i], starts[i + 1]):
            total += values[j] ** 2
        squares[i] = total
        for k in range(labels):
            step32[k] = penalty * costs[i] * (-q[i, k] + (1.0 if k == truth[i] else 0.0))
            bias[k] += step32[k]
        for j in range(starts[i], starts[i + 1]):
            value, at = values[j], columns[j]
            for k in range(width):
                weights[at, k] += value * step32[k]
    order = np.arange(rows)
    state = np.uint64(seed * 2 + 1)
    gap = np.inf
    for epoch in range(epochs):
        state = _shuffle(order, state)
        gap = 0.0
        for i in order:
            if stop[0]:
                return epoch, gap
            z32[:] = 0
            for j in range(starts[i], starts[i + 1]):
                value, at = values[j], columns[j]
                for k in range(width):
                    z32[k] += value * weights[at, k]
            top = -np.inf
            for k in range(labels):
                z[k] = z32[k] + bias[k]
                top = max(top, z[k])
            total = 0.0
            for k in range(labels):
                p[k] = np.exp(z[k] - top)
                total += p[k]
            slope, bend, kl = 0.0, 0.0, 0.0
            for k in range(labels):
                p[k] = max(p[k] / total, TINY)
                d[k] = p[k] - q[i, k]
                ratio = np.log(p[k] / q[i, k])
                slope += ratio * d[k]
                kl -= ratio * q[i, k]
                bend += d[k] * d[k]
            gap += costs[i] * kl
            curve = penalty * costs[i] * squares[i] * bend
            if slope <= 0:
                continue
            # How far along d: where the slope of the dual, which falls all along, is zero. Without the entropy's part, which
            # only lowers it, that would be at slope / curve. Newton's step, or half of what is left where it leads out.
            low, high = 0.0, min(1.0, slope / curve)
            step = high / 2
            for _ in range(NEWTON):
                rise, fall = -step * curve, -curve
                for k in range(labels):
                    here = max(q[i, k] + step * d[k], TINY)
                    rise += d[k] * (np.log(p[k]) - np.log(here))
                    fall -= d[k] * d[k] / here
                if abs(rise) < CLOSE * slope:
                    break
                low, high = (step, high) if rise > 0 else (low, step)
                step -= rise / fall
                if not low < step < high:
                    step = (low + high) / 2
            for k in range(labels):
                q[i, k] = max(q[i, k] + step * d[k], TINY)
                step32[k] = -step * d[k] * penalty * costs[i]
                bias[k] += step32[k]
            for j in range(starts[i], starts[i + 1]):
                value, at = values[j], columns[j]
                for k in range(width):
                    weights[at, k] += value * step32[k]
        gap = gap / rows
        if gap < tolerance:
            return epoch + 1, gap
    return epochs, gap


@kernel
def fit_ridge(starts, columns, values, truth, penalty, epochs, tolerance, seed, weights, bias, stop):
    """Fit `weights` (columns, 1) and `bias` (1,), both zero at the start, to numbers. Returns epochs done and the gap.

        min over w of  1/2 |w|^2 + C/2 sum_i (w x_i - y_i)^2

    The dual variable of row i is C times its residual at the optimum: a step solves for it alone (Hsieh et al. 2008). The mean
    square of what is missing to that is the rule to stop.
    """
    rows = truth.size
    dual = np.zeros(rows)
    squares = np.ones(rows)  # the bias is a column of ones
    for i in range(rows):
        for j in range(starts[i], starts[i + 1]):
            squares[i] += values[j] ** 2
    order = np.arange(rows)
    state = np.uint64(seed * 2 + 1)
    gap = np.inf
    for epoch in range(epochs):
        state = _shuffle(order, state)
        gap = 0.0
        for i in order:
            if stop[0]:
                return epoch, gap
            given = np.float64(bias[0])
            for j in range(starts[i], starts[i + 1]):
                given += values[j] * weights[columns[j], 0]
            missing = truth[i] - given - dual[i] / penalty
            step = missing / (squares[i] + 1 / penalty)
            dual[i] += step
            bias[0] += step
            for j in range(starts[i], starts[i + 1]):
                weights[columns[j], 0] += step * values[j]
            gap += missing * missing
        gap = gap / rows
        if gap < tolerance:
            return epoch + 1, gap
    return epochs, gap
