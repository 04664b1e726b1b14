"""Clustering as scikit-learn's users call it: for pipelines, searches and whatever takes a `KMeans`.

scikit-learn is no dependency of segpipe: this module alone imports it, when `pipeline.ColorQuantizer` is
first asked for. A class that only looked like an estimator would miss tags, feature names and metadata
routing, and would have to follow each of scikit-learn's releases.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.color.chance import seed_of
from pipeline.color.counts import count_colors
from pipeline.color.given import GivenPalette
from pipeline.color.mapping import fit_palette, paint
from pipeline.color.methods import get_ready, method_of
from pipeline.color.opencv import are_levels
from pipeline.color.points import nearest, total_of
from pipeline.color.rasters import segment
from pipeline.color.spaces import SPACES
from pipeline.library.weights import repeated, weighted_colors

try:
    from sklearn.base import BaseEstimator, ClusterMixin, TransformerMixin
    from sklearn.utils import check_random_state
    from sklearn.utils.validation import check_array, check_is_fitted, validate_data
except ImportError as error:
    raise ImportError(
        "pipeline.ColorQuantizer: expected the package scikit-learn, 1.6 or later, found none; "
        "pip install 'segpipe[sklearn]'"
    ) from error

_METHODS = ("kmeans", "minibatch")


class ColorQuantizer(TransformerMixin, ClusterMixin, BaseEstimator):  # type: ignore[misc]
    """k-means of colours, or of points of any number of features, as a scikit-learn estimator.

    Parameters
    ----------
    n_colors : int, 1 to 65,536
        Clusters. Data with fewer distinct points get one for each of these.
    method : "kmeans" or "minibatch"
        As in `quantize`. Of points that are no 8-bit colours "kmeans" ends with exact steps over all of them
        (up to 2²⁰ points), "minibatch" does not.
    color_space : "srgb", "linear", "lab" or "oklab"
        Where distances are measured. Other than "srgb" is for 8-bit colours only.
    random_state : int, RandomState instance or None
        An int, or None for 0: the same data give the same clusters in each call. An instance is
        drawn from.

    Attributes
    ----------
    cluster_centers_ : (k, n_features) float64 array
        Largest cluster first. Of 8-bit colours, 8-bit colours.
    labels_ : (n,) int32 array
        The nearest centre of each point.
    inertia_ : float
        Σ weight · squared distance to the nearest centre, in units of the space.
    n_iter_ : int
        Steps, or batches.
    n_features_in_ : int
        Features.
    feature_names_in_ : (n_features,) array of str
        Their names, if the data had any.

    Notes
    -----
    Points of three features, all of them whole numbers from 0 to 255, are taken for sRGB colours: they are
    counted and fitted exactly, as `quantize` does. All others are clustered as they are by mini-batches and
    Lloyd's steps, as `segment` does with `scale="none"`. The order of the points makes no difference, and a
    weight of n is that of n equal points. Weights that are no whole numbers are kept to about one part in a
    million of their sum.

    `transform` gives distances, as `KMeans` does; `inverse_transform` gives the centres that these are
    least to: `inverse_transform(transform(X))` is X in the palette's colours.

    References
    ----------
    .. [1] D. Arthur and S. Vassilvitskii, "k-means++: the advantages of careful seeding", SODA 2007.
    .. [2] D. Sculley, "Web-scale k-means clustering", WWW 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from pipeline import ColorQuantizer
    >>> pixels = np.array([[0, 0, 0], [2, 2, 2], [250, 0, 0]], np.uint8)
    >>> quantizer = ColorQuantizer(n_colors=2).fit(pixels)
    >>> quantizer.cluster_centers_.tolist(), quantizer.labels_.tolist(), quantizer.inertia_
    ([[1.0, 1.0, 1.0], [250.0, 0.0, 0.0]], [0, 0, 1], 6.0)
    >>> quantizer.predict([[200, 10, 10]]).tolist()
    [1]
    """

    def __init__(
        self,
        n_colors: int = 8,
        *,
        method: str = "kmeans",
        color_space: str = "srgb",
        random_state: Any = None,
    ) -> None:
        self.n_colors = n_colors
        self.method = method
        self.color_space = color_space
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> "ColorQuantizer":  # noqa: N803
        """Find the centres.

        Parameters
        ----------
        X : (n, n_features) array of finite real numbers
        y : ignored
        sample_weight : (n,) array of numbers ≥ 0, optional
            What each point counts for.

        Returns
        -------
        ColorQuantizer
            Itself.

        Raises
        ------
        ValueError
            If the data, a weight or a parameter is not as told.
        """
        points = validate_data(self, X, dtype="numeric", accept_large_sparse=False)
        weights = _weights_of(sample_weight, len(points))
        if self.method not in _METHODS:
            raise ValueError(f"method must be one of {', '.join(_METHODS)}, not {self.method!r}")
        method = method_of(
            self.n_colors, self.method, {"color_space": self.color_space, "seed": _seed_of(self.random_state)}
        )
        if _are_colors(points):
            get_ready(type(method), "none")
            fitted = fit_palette(weighted_colors(points.astype(np.uint8), weights), method)
            self.cluster_centers_ = fitted.palette.colors.astype(np.float64)
            self.n_iter_ = fitted.iterations
        else:
            self._fit_points(points, weights)
        self.labels_, distances = self._nearest(points)
        self.inertia_ = float(total_of(distances if weights is None else distances * weights))
        return self

    def predict(self, X: Any) -> NDArray[np.int32]:  # noqa: N803
        """Give each point (n, n_features) the label of its nearest centre, (n,) int32.

        Raises ValueError for data of other features, and for other than 8-bit colours in a space other
        than sRGB.
        """
        return self._nearest(self._checked(X))[0]

    def transform(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """Give the distance of each point (n, n_features) to each centre: (n, k), in units of the space.

        Raises ValueError as `predict` does.
        """
        points = self._placed(self._checked(X))
        centers = self._placed(self.cluster_centers_)
        away = np.empty((len(points), len(centers)))
        for j, center in enumerate(centers):
            away[:, j] = np.sqrt(np.square(points - center).sum(axis=1))
        return away

    def inverse_transform(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """Give the centre (n, n_features) of the least of each row of distances (n, k).

        Raises ValueError if these are not as many as there are centres.
        """
        check_is_fitted(self)
        distances = check_array(X)
        if distances.shape[1] != len(self.cluster_centers_):
            raise ValueError(
                f"expected distances to {len(self.cluster_centers_)} centres, (n, "
                f"{len(self.cluster_centers_)}), as transform gives, found shape {distances.shape}"
            )
        return np.asarray(self.cluster_centers_[distances.argmin(axis=1)])

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Names of the columns that `transform` gives: colorquantizer0, colorquantizer1, …"""  # noqa: D400
        check_is_fitted(self)
        return np.array([f"colorquantizer{j}" for j in range(len(self.cluster_centers_))], dtype=object)

    def _fit_points(self, points: NDArray[Any], weights: NDArray[np.float64] | None) -> None:
        """Cluster points as `segment` does, in an order of their own."""
        if self.color_space != "srgb":
            raise ValueError(
                f"color_space {self.color_space!r} is for 8-bit colours: expected three features of whole "
                f"numbers from 0 to 255, found {points.shape[1]} of {points.dtype}; "
                "scale them, or take 'srgb', which leaves points as they are"
            )
        found = segment(
            repeated(points, weights)[:, None, :],
            self.n_colors,
            scale="none",
            seed=_seed_of(self.random_state),
            refine=None if self.method == "kmeans" else False,
        )
        self.cluster_centers_ = found.centers
        self.n_iter_ = found.steps

    def _nearest(self, points: NDArray[Any]) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """Labels (n,), and squared distances (n,), of points to the centres."""
        centers = self.cluster_centers_
        if not (_are_colors(points) and _are_colors(centers)):
            placed = np.ascontiguousarray(self._placed(points).T, np.float64)
            labels, distances = nearest(placed, np.ascontiguousarray(self._placed(centers)))
            return labels.astype(np.int32), distances
        colors = points.astype(np.uint8)
        counts = count_colors(colors)
        get_ready(GivenPalette, "none")
        fitted = fit_palette(counts, GivenPalette(centers.astype(np.uint8), self.color_space))
        painted = paint(colors[:, None, :], None, counts, fitted).reshape(-1).astype(np.int32)
        away = self._placed(points) - self._placed(centers)[painted]
        return painted, np.asarray((away * away).sum(axis=1))

    def _placed(self, points: NDArray[Any]) -> NDArray[np.float64]:
        """Points (n, n_features) in the space."""
        if self.color_space == "srgb":
            return np.asarray(points, np.float64)
        if not _are_colors(points):
            raise ValueError(
                f"expected 8-bit colours (n, 3) for color_space {self.color_space!r}, found other numbers"
            )
        space = SPACES[self.color_space]
        return space.points(points.astype(np.uint8)) / space.unit

    def _checked(self, X: Any) -> NDArray[Any]:  # noqa: N803
        check_is_fitted(self)
        return np.asarray(validate_data(self, X, reset=False, dtype="numeric"))


def _are_colors(points: NDArray[Any]) -> bool:
    return points.shape[1] == 3 and are_levels(points)


def _weights_of(sample_weight: Any, n: int) -> NDArray[np.float64] | None:
    """Weights (n,) of which one is above 0, or None if all count the same."""
    if sample_weight is None:
        return None
    checked = check_array(sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight")
    weights = np.asarray(checked)
    if weights.shape != (n,) or (weights < 0).any() or not weights.any():
        raise ValueError(
            f"expected sample_weight ({n},), numbers of at least zero and not all zero, "
            f"found shape {weights.shape}, from {weights.min():g} to {weights.max():g}"
        )
    return weights


def _seed_of(random_state: Any) -> int:
    """A seed for all draws."""
    if random_state is None:
        return 0
    if isinstance(random_state, int | np.integer):
        return seed_of(int(random_state), 0)
    return int(check_random_state(random_state).randint(2**31))
