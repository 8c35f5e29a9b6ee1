"""The solver finds the optimum that scikit-learn finds, and the same weights for any number of threads."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression, Ridge

from cauce.recipes.solver import fit, fit_ridge


def problem(rows: int, columns: int, labels: int, seed: int) -> tuple[csr_matrix, np.ndarray]:
    random = np.random.default_rng(seed)
    dense = random.normal(size=(rows, columns)) * (random.random((rows, columns)) < 0.2)
    truth = np.argmax(dense @ random.normal(size=(columns, labels)) + random.normal(size=(rows, labels)), axis=1)
    truth[:labels] = np.arange(labels)
    return csr_matrix(dense.astype(np.float32)), truth


def solve(x: csr_matrix, truth: np.ndarray, labels: int, penalty: float) -> tuple[np.ndarray, np.ndarray, float]:
    weights, bias = np.zeros((x.shape[1], labels), np.float32), np.zeros(labels, np.float32)
    starts, stop = x.indptr.astype(np.int64), np.zeros(1, np.bool_)
    _, gap = fit(starts, x.indices, x.data, truth, np.ones(len(truth)), penalty, 500, 1e-6, 0, weights, bias, stop)
    return weights, bias, gap


def objective(x: csr_matrix, truth: np.ndarray, weights: np.ndarray, bias: np.ndarray, penalty: float) -> float:
    z = x @ weights + bias
    loss = np.log(np.exp(z - z.max(1, keepdims=True)).sum(1)) + z.max(1) - z[np.arange(len(truth)), truth]
    return float(0.5 * (weights.astype(np.float64) ** 2).sum() + 0.5 * (bias**2).sum() + penalty * loss.sum())


@pytest.mark.parametrize(("labels", "penalty"), [(2, 0.1), (2, 10.0), (3, 1.0), (5, 1.0), (9, 30.0)])
def test_it_reaches_the_optimum_of_scikit_learn(labels: int, penalty: float) -> None:
    x, truth = problem(300, 60, labels, seed=labels)
    weights, bias, gap = solve(x, truth, labels, penalty)
    ones = csr_matrix(np.hstack([x.toarray(), np.ones((300, 1), np.float32)]))  # the bias is penalized as a column of ones
    peer = LogisticRegression(C=penalty, fit_intercept=False, tol=1e-8, max_iter=20_000).fit(ones, truth)
    theirs = peer.coef_.T if labels > 2 else np.hstack([-peer.coef_.T / 2, peer.coef_.T / 2])
    if labels > 2:
        best = objective(x, truth, theirs[:-1], theirs[-1], penalty)
        assert objective(x, truth, weights, bias, penalty) == pytest.approx(best, rel=2e-4)
    assert gap < 1e-6
    assert (np.argmax(x @ weights + bias, 1) == peer.predict(ones)).mean() > 0.98


def test_few_columns_uneven_costs_and_a_weak_penalty_converge() -> None:
    """A table's rows share their columns: the best steps are short, and a step too far would feed the next one."""
    random = np.random.default_rng(0)
    places = random.integers(0, 8, (4000, 5)) + 8 * np.arange(5)
    truth = (random.random(4000) < 0.03 + 0.1 * (places[:, 0] == 3)).astype(np.int64)
    costs = 4000 / (2 * np.bincount(truth))[truth]
    weights, bias = np.zeros((40, 4), np.float32), np.zeros(2, np.float32)
    values = np.full(places.size, 0.45, np.float32)
    args = (np.arange(4001) * 5, places.ravel().astype(np.int32), values, truth, costs, 16.0)
    _, gap = fit(*args, 300, 1e-3, 0, weights, bias, np.zeros(1, np.bool_))
    assert gap < 5e-3  # one that overshoots stays above 1


@pytest.mark.parametrize("penalty", [0.1, 1.0, 5.0])
def test_ridge_reaches_the_optimum_of_scikit_learn(penalty: float) -> None:
    x, _ = problem(300, 60, 2, seed=1)
    truth = x @ np.linspace(-1, 1, 60) + np.random.default_rng(0).normal(size=300)
    weights, bias = np.zeros((60, 1), np.float32), np.zeros(1, np.float32)
    starts = x.indptr.astype(np.int64)
    fit_ridge(starts, x.indices, x.data, truth, penalty, 5000, 1e-9, 0, weights, bias, np.zeros(1, np.bool_))
    ones = np.hstack([x.toarray(), np.ones((300, 1), np.float32)])  # the bias is penalized as a column of ones
    peer = Ridge(alpha=1 / penalty, fit_intercept=False, tol=1e-8).fit(ones, truth)
    assert np.abs(np.append(weights[:, 0], bias) - peer.coef_).max() < 1e-3


def test_the_gap_bounds_the_distance_to_the_optimum() -> None:
    x, truth = problem(200, 40, 3, seed=1)
    weights, bias = np.zeros((40, 3), np.float32), np.zeros(3, np.float32)
    args = (x.indptr.astype(np.int64), x.indices, x.data, truth, np.ones(200), 2.0)
    _, gap = fit(*args, 3, 0.0, 0, weights, bias, np.zeros(1, np.bool_))
    best_weights, best_bias, _ = solve(x, truth, 3, 2.0)
    distance = objective(x, truth, weights, bias, 2.0) - objective(x, truth, best_weights, best_bias, 2.0)
    assert distance <= 1.05 * gap * 2.0 * 200


def test_a_stop_that_is_asked_for_is_kept() -> None:
    x, truth = problem(200, 40, 3, seed=1)
    weights, bias = np.zeros((40, 3), np.float32), np.zeros(3, np.float32)
    args = (x.indptr.astype(np.int64), x.indices, x.data, truth, np.ones(200), 2.0)
    epochs, _ = fit(*args, 10**9, 0.0, 0, weights, bias, np.ones(1, np.bool_))
    assert epochs == 0
