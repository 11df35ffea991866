"""The views of the output side, G = E[B B^T]: `output` takes the outputs as they are, `projected` through a fixed P.

Legend: n sequences; h the whole embedded sequence, all of its coordinates; y the C outputs; J = dy/dh; P the fixed
projection (m x C); B = J or P J, with m rows; u random signs with E[u u^T] = I, so that E[(B u)(B u)^T] = B B^T = A_n;
p such probes a sequence; W the top eigenvectors (m x k) of the mean seen so far.

One forward-mode product B u per sequence is unbiased but noisy. Most of that noise lies along the few directions that
carry G, and reverse mode gives those exactly at little cost: W^T A_n W = (W^T B)(W^T B)^T needs k gradients. So
    A~_n = (B u)(B u)^T + W [ (W^T B)(W^T B)^T - (W^T B u)(W^T B u)^T ] W^T
keeps the expectation A_n for any W that does not depend on sequence n; W comes from earlier sequences only.

B u is a forward-mode derivative. Attention, layer normalisation and linear maps have a fast one here, where torch's is
slow or missing: dX the tangent of X; Q, K, V queries and keys (of width d) and values;
S = Q K^T / sqrt(d) + mask the scores, a = softmax(S) the weights:
da = a * (dS - sum(a * dS)), dS = dQ K^T + Q dK^T, d(a V) = da V + a dV;
z = (x - mean x) / std x the normalised input: dz = (dx - mean dx - z mean(z * dx)) / std x.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache, lru_cache, partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd import forward_ad
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode

from interlaw.errors import InterlawError
from interlaw.interaction.batches import Batch
from interlaw.interaction.layout import Place
from interlaw.interaction.options import Contribute, Options, View
from interlaw.interaction.place import Cotangents, Outputs, Places, require_finite
from interlaw.interaction.routes import Contribution
from interlaw.interaction.views import is_summed, ones, random_signs, unit_cotangents

# As the paper's code has it: 64 outputs of a matrix drawn with this seed.
PROJECTED_OUTPUTS, PROJECTION_SEED = 64, 42
# Directions taken exactly: as many as carry four fifths of the trace, and no more than 8, each a gradient a sequence.
# The choice matters little: with 1 to 6 of them a ratio of one precision costs about the same (docs/estimators.md).
COVERED_TRACE, MOST_DIRECTIONS = 0.8, 8
# Sequences before the first directions are known: fewer leave them to chance, more leave the noise in.
FIRST_REFRESH = 16
WIDEST_MATRICES = 256  # more outputs than this are measured by their images alone, never as m x m matrices


def projected_view(options: Options, read: Outputs) -> Contribute:
    """G = P E[J J^T] P^T; P has entries N(0, 1/m) and never changes."""

    def projected(output: Any, batch: Batch) -> Tensor:
        y = read(output, batch)
        return y @ _projection(y.shape[1]).to(y).T

    return output_view(options, projected)


def output_view(options: Options, outputs: Outputs) -> Contribute:
    """G = E[J J^T] over the outputs themselves, of the last token where there are tokens."""
    if options.probes != "exact":
        return Probed(options, outputs)

    def exact(places: Places, batch: Batch) -> dict[str, Contribution]:
        """The m rows of B by reverse mode."""
        (name,) = places.kept
        rows = _rows(places, batch, outputs=outputs, cotangents=unit_cotangents)
        _, dim, coordinates = rows.shape
        multiplied = is_summed(coordinates, dim=dim, route=options.route)
        content = rows @ rows.mT if multiplied else rows
        return {name: Contribution(content=content, weights=ones(rows), dim=dim, are_matrices=multiplied)}

    return exact


@lru_cache(maxsize=1)
def _projection(num_outputs: int) -> Tensor:
    """P, m x C."""
    generator = torch.Generator().manual_seed(PROJECTION_SEED)
    # the default dtype may be another, whose numbers are not these
    drawn = torch.randn(PROJECTED_OUTPUTS, num_outputs, generator=generator, dtype=torch.float32)
    return drawn / math.sqrt(PROJECTED_OUTPUTS)


class Probed:
    """Forward-mode probes, with the leading directions taken exactly.

    The directions are renewed after a fixed number of sequences that doubles, whatever the batches are, so that a
    result depends on the seed and not on the memory of the machine.
    """

    def __init__(self, options: Options, outputs: Outputs) -> None:
        self._outputs = outputs
        self._as_factors = options.route == "gram"
        self._num_probes = options.probes if isinstance(options.probes, int) else 1
        self._generator = torch.Generator().manual_seed(options.seed)
        self._seen = 0
        self._refresh_at = FIRST_REFRESH
        self._sum: Tensor | None = None
        self._directions: Tensor | None = None

    def __call__(self, places: Places, batch: Batch) -> dict[str, Contribution]:
        """The contributions of a batch, in pieces that end where the directions are renewed."""
        (name,) = places.kept
        parts, start = [], 0
        while start < len(batch):
            stop = min(len(batch), start + self._refresh_at - self._seen)
            parts.append(self._content(places, batch.take(start, stop)))
            start = stop
        content = torch.cat(parts)
        part = Contribution(
            content=content,
            weights=ones(content),
            dim=content.shape[1],
            are_matrices=not self._are_factors(content),
            num_probes=self._num_probes,
        )
        return {name: part}

    def _are_factors(self, content: Tensor) -> bool:
        """Whether the images alone are kept, rather than m x m matrices."""
        return self._as_factors or content.shape[1] > WIDEST_MATRICES

    def _images(self, places: Places, batch: Batch) -> Tensor:
        """B u / sqrt(p) for p fresh probes per sequence, (n, m, p)."""
        count = self._num_probes
        drawn: list[Tensor] = []

        def tangent(h: Tensor) -> Tensor:
            if not drawn:
                drawn.extend(random_signs(h, count, generator=self._generator))
            return drawn.pop()

        images = [_jacobian_vector(places, batch, outputs=self._outputs, tangent=tangent) for _ in range(count)]
        stacked: Tensor = torch.stack(images, 2) / count**0.5
        return stacked

    def _content(self, places: Places, batch: Batch) -> Tensor:
        """Images B u (n, m, p), or the corrected matrices (n, m, m) of them."""
        images = self._images(places, batch)
        if self._are_factors(images):
            return images
        matrices = (images @ images.mT).double()
        if self._directions is not None:
            W = self._directions
            rows = _rows(places, batch, outputs=self._outputs, cotangents=partial(_along, W)).double()
            W = W.double()
            matrices = matrices + W @ (rows @ rows.mT - W.T @ matrices @ W) @ W.T
        total = matrices.sum(0)
        self._sum = total if self._sum is None else self._sum + total
        self._seen += len(matrices)
        if self._seen >= self._refresh_at:
            self._directions = leading_directions(self._sum).to(images.dtype)
            self._refresh_at *= 2
        return matrices


def leading_directions(G: Tensor) -> Tensor:
    """The fewest top eigenvectors (m, k) that cover the trace's larger part; each costs one gradient a sequence."""
    eigenvalues, vectors = torch.linalg.eigh(G)
    covered = eigenvalues.flip(0).cumsum(0) / eigenvalues.sum()
    k = min(int((covered < COVERED_TRACE).sum()) + 1, MOST_DIRECTIONS, len(G))
    leading: Tensor = vectors[:, -k:]
    return leading


def _jacobian_vector(
    places: Places, batch: Batch, *, outputs: Outputs, tangent: Callable[[Tensor], Tensor]
) -> Float[Tensor, "n c"]:
    """J u for the tangent u that `tangent` draws in the shape of h, samples first; no graph is kept."""
    n = len(batch)

    def dual(place: Place, h: Tensor) -> Tensor:
        u = tangent(places.samples_first(place, h, n=n)).flatten()
        order = places.samples_first(place, torch.arange(h.numel(), device=h.device).reshape(h.shape), n=n).flatten()
        back = torch.empty_like(u).index_copy(0, order, u).reshape(h.shape)
        moving: Tensor = forward_ad.make_dual(h.detach(), back)  # type: ignore[no-untyped-call]
        return moving

    with torch.no_grad(), forward_ad.dual_level(), differentiable():
        y = outputs(places.run(batch, dual), batch)
        image: Tensor | None = forward_ad.unpack_dual(y).tangent  # type: ignore[no-untyped-call]
        if image is None:
            raise InterlawError(f"the outputs do not depend on {', '.join(map(repr, places.kept))}; check layer=")
        # The tangent must not outlive its dual level as a view of it.
        return require_finite(image.clone())


def _along(W: Tensor, y: Tensor) -> Iterator[Tensor]:
    """Each direction as a cotangent, the same for every sequence."""
    return (w.expand_as(y) for w in W.to(y).unbind(1))


def _rows(places: Places, batch: Batch, *, outputs: Outputs, cotangents: Cotangents) -> Tensor:
    """Rows of B along the cotangents: (n, k, coordinates of h)."""
    (name,) = places.kept
    gradients = [at[name].flatten(1) for at in places.gradients(batch, outputs, cotangents=cotangents)]
    return torch.stack(gradients, 1)


@cache
def load_formulas() -> None:
    """Loads torch's forward-mode formulas; it registers them through torch.jit.script, which warns from 2.13 on."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch._decomp import decompositions_for_jvp as _registered  # noqa: F401


@contextmanager
def differentiable() -> Iterator[None]:
    """Attention in a form that has a forward-mode derivative; torch's own switches are put back afterwards."""
    load_formulas()
    fast = torch.backends.mha.get_fastpath_enabled()
    with ExitStack() as stack:
        stack.callback(torch.backends.mha.set_fastpath_enabled, fast)
        torch.backends.mha.set_fastpath_enabled(False)
        stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        stack.enter_context(ForwardMode())
        yield


class ForwardMode(TorchFunctionMode):
    """While it is active, these operations (attention without dropout) have a fast forward-mode derivative."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Hands on every other function as it is."""
        named = kwargs or {}
        if func is F.scaled_dot_product_attention and not (named.get("dropout_p") or args[4:5] not in ((), (0.0,))):
            return attend(*args, **named)
        if func is F.layer_norm:
            return normalise(*args, **named)
        if func is F.linear:
            return transform(*args, **named)
        return func(*args, **named)


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """What `scaled_dot_product_attention` computes, for the same arguments; no dropout."""
    if enable_gqa:
        key, value = (x.repeat_interleave(query.shape[-3] // x.shape[-3], -3) for x in (key, value))
    mask = attn_mask
    if is_causal:
        mask = torch.ones(query.shape[-2], key.shape[-2], dtype=torch.bool, device=query.device).tril()
    if mask is not None and mask.dtype == torch.bool:
        mask = torch.zeros_like(mask, dtype=query.dtype).masked_fill_(~mask, -torch.inf)
    root = query.shape[-1] ** -0.5 if scale is None else scale
    mixed: Tensor = _Attention.apply(query, key, value, mask, attn_mask is not None, root)  # type: ignore[no-untyped-call]
    return mixed


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, guarded: bool, scale: float
    ) -> Tensor:
        """The mixed values a V; where `guarded`, a query that may see nothing gets zeros."""
        query = query * scale
        scores = query @ key.mT
        if mask is not None:
            scores = scores.add_(mask)
        weights = scores.softmax(-1)
        if guarded:
            weights = weights.masked_fill((scores == -torch.inf).all(-1, keepdim=True), 0.0)
        ctx.save_for_forward(query, key, value, weights)
        ctx.scale = scale
        return weights @ value

    @staticmethod
    def jvp(ctx: Any, dquery: Tensor | None, dkey: Tensor | None, dvalue: Tensor | None, *_: Any) -> Tensor:
        """The tangent; an input without a tangent adds none."""
        query, key, value, weights = ctx.saved_tensors
        terms = [] if dvalue is None else [weights @ dvalue]
        moved = [] if dquery is None else [(dquery * ctx.scale) @ key.mT]
        moved += [] if dkey is None else [query @ dkey.mT]
        if moved:
            tangent = _total(moved).mul_(weights)
            terms.append(tangent.sub_(weights * tangent.sum(-1, keepdim=True)) @ value)
        return _total(terms)


def _total(terms: list[Tensor]) -> Tensor:
    first, *rest = terms
    for term in rest:
        first.add_(term)
    return first


def normalise(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,  # as `layer_norm` has it
) -> Tensor:
    """What `layer_norm` computes, for the same arguments."""
    if _moves(weight) or _moves(bias):
        return F.layer_norm(input, normalized_shape, weight, bias, eps)
    scaled: Tensor = _Normalisation.apply(input, tuple(normalized_shape), weight, bias, eps)  # type: ignore[no-untyped-call]
    return scaled


class _Normalisation(torch.autograd.Function):
    """A normalisation that stays as it is while its input moves: torch's own adds products with zeros."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, shape: tuple[int, ...], weight: Tensor | None, bias: Tensor | None, eps: float
    ) -> Tensor:
        """The weight times z, and the bias."""
        z, _, inverse = torch.native_layer_norm(x, shape, None, None, eps)
        ctx.save_for_forward(z, inverse, weight)
        ctx.axes = tuple(range(-len(shape), 0))
        y = z.clone() if weight is None else z * weight
        return y if bias is None else y.add_(bias)

    @staticmethod
    def jvp(ctx: Any, dx: Tensor, *_: Any) -> Tensor:
        """The weight times dz."""
        z, inverse, weight = ctx.saved_tensors
        mean, along = dx.mean(ctx.axes, keepdim=True), (z * dx).mean(ctx.axes, keepdim=True)
        dz = (dx - mean).sub_(z * along).mul_(inverse.to(dx.dtype))
        return dz if weight is None else dz.mul_(weight)


def transform(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """What `linear` computes, for the same arguments."""
    if _moves(weight) or _moves(bias):
        return F.linear(input, weight, bias)
    mapped: Tensor = _Linear.apply(input, weight, bias)  # type: ignore[no-untyped-call]
    return mapped


def _moves(x: Tensor | None) -> bool:
    return x is not None and forward_ad.unpack_dual(x).tangent is not None  # type: ignore[no-untyped-call]


class _Linear(torch.autograd.Function):
    """A linear map that stays as it is while its input moves: torch's own adds a product with zeros."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """The weight times x, and the bias."""
        ctx.save_for_forward(weight)
        return F.linear(x, weight, bias)

    @staticmethod
    def jvp(ctx: Any, dx: Tensor, *_: Any) -> Tensor:
        """The weight times dx."""
        (weight,) = ctx.saved_tensors
        return F.linear(dx, weight)


# A sample costs as much as training on so many; measured, with the leading directions taken exactly.
COST = 4.5
PROJECTED = View(start=projected_view, null="projected", positions="last", cost=COST)
OUTPUT = View(start=output_view, positions="last", cost=COST)
