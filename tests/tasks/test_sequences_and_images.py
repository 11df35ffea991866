"""Teacher and student, and masked patches: targets, masks, batches that depend on their arguments alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from interlaw.errors import InterlawError
from interlaw.models import build_model
from interlaw.shapes import CNNShape, GRUShape
from interlaw.tasks import ImageTaskSpec, SequenceTaskSpec, Task
from interlaw.tasks.images import draw_masks, draw_pictures, split_digits
from interlaw.tasks.sequences import last_states

SEQUENCES = SequenceTaskSpec(time=6, teacher_width=5, train=600, validation=20, test=30)


def test_students_learn_the_teachers_last_state() -> None:
    task = SEQUENCES.open()
    x, y = task.splits["train"]
    assert x.shape == (600, 6, 1)
    torch.testing.assert_close(y.mean(0), torch.zeros(5), atol=1e-4, rtol=0)
    torch.testing.assert_close(y.std(0, correction=0), torch.ones(5), atol=1e-4, rtol=0)
    teacher = build_model(GRUShape(depth=2, width=5), seed=0).get_submodule("layers")
    with torch.no_grad():
        state = teacher(x)[0][:, -1]
    torch.testing.assert_close((state - state.mean(0)) / state.std(0, correction=0), y, atol=1e-4, rtol=1e-4)


def test_last_states_do_not_depend_on_the_chunks() -> None:
    teacher = build_model(GRUShape(depth=1, width=4), seed=0).get_submodule("layers")
    x = torch.randn(1100, 3, 1, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(last_states(teacher, x)[1050], last_states(teacher, x[1050:1051])[0])


def test_a_constant_guess_explains_nothing() -> None:
    task = SEQUENCES.open()
    mean = task.splits["test"][1].mean(0)

    class Constant(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return mean.expand(len(x), -1)

    loss = float(task.loss(Constant(), task.splits["test"]))
    assert task.figures(loss)["explained_variance"] == pytest.approx(0, abs=1e-5)


def test_masks_hold_the_same_number_of_whole_patches() -> None:
    masks = draw_masks(50, side=8, patch=4, num_masked=ImageTaskSpec().num_masked, source=np.random.default_rng(0))
    assert masks.shape == (50, 1, 32, 32)
    assert ImageTaskSpec().num_masked == 42
    assert (masks.sum((1, 2, 3)) == 42 * 16).all()
    whole = masks.view(50, 8, 4, 8, 4).float().mean((2, 4))
    assert set(whole.unique().tolist()) == {0.0, 1.0}
    assert float(masks.float().mean(0).std()) < 0.12  # places differ between images


def test_masked_pixels_are_grey_and_alone_count() -> None:
    task = ImageTaskSpec().open()
    inputs, targets = task.batch(seed=0, step=0, size=4)
    mask = inputs[:, 3:].bool()
    assert inputs.shape == (4, 4, 32, 32)
    assert torch.equal(inputs[:, :3][mask.expand(-1, 3, -1, -1)], torch.full((4 * 672 * 3,), 0.5))
    assert torch.equal(inputs[:, :3].masked_fill(mask, 0), targets.masked_fill(mask, 0))

    class Wrong(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return targets + 0.5 * x[:, 3:] + 9 * (1 - x[:, 3:])

    assert float(task.loss(Wrong(), (inputs, targets))) == pytest.approx(0.25, rel=1e-4)
    assert task.figures(0.25)["psnr"] == pytest.approx(6.0206, rel=1e-4)
    assert task.units_per_sample == 672


@pytest.mark.parametrize("spec", [ImageTaskSpec(), ImageTaskSpec(images="digits", patch=2), SEQUENCES])
def test_batches_are_functions_of_their_arguments(spec: ImageTaskSpec | SequenceTaskSpec) -> None:
    first, again = spec.open(), spec.open()
    assert isinstance(first, Task)
    one, same, other = (t.batch(seed=3, step=s, size=5)[0] for t, s in ((first, 7), (again, 7), (first, 8)))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    held = [list(t.evaluation("test", num_samples=9, batch_size=4)) for t in (first, again)]
    assert [len(batch[0]) for batch in held[0]] == [4, 4, 1]
    assert all(torch.equal(a[0], b[0]) for a, b in zip(*held, strict=True))
    validation = next(first.evaluation("validation", num_samples=4, batch_size=4))[0]
    assert not torch.equal(validation, held[0][0][0])
    assert torch.equal(first.probes(num_samples=4, with_targets=False), validation)
    with pytest.raises(InterlawError, match="without targets for a regression task, found loss"):
        first.probes(num_samples=4, with_targets=True)


def test_pictures_vary_and_stay_in_range() -> None:
    pictures = draw_pictures(64, source=np.random.default_rng(0))
    assert pictures.shape == (64, 3, 32, 32)
    assert float(pictures.min()) >= 0
    assert float(pictures.max()) <= 1
    assert float(pictures.std(0).mean()) > 0.1  # between images
    assert float(pictures.std((2, 3)).mean()) > 0.1  # within an image


def test_digits_are_split_without_overlap() -> None:
    splits = split_digits(seed=0)
    assert [len(splits[name]) for name in ("train", "validation", "test")] == [1437, 180, 180]
    assert float(splits["train"].max()) == 1.0
    assert not torch.equal(splits["test"], split_digits(seed=1)["test"])


def test_the_data_decide_the_models_ends(tmp_path: Path) -> None:
    digits = ImageTaskSpec(images="digits", patch=2)
    assert digits.plan(folder=tmp_path).sizes == {"channels": 1, "image_size": 8, "supervised": 40}
    cnn = build_model(CNNShape(depth=1, width=4, **digits.plan(folder=tmp_path).sizes))
    assert cnn(digits.open().batch(seed=0, step=0, size=3)[0]).shape == (3, 1, 8, 8)
    gru = build_model(GRUShape(depth=1, width=4, **SEQUENCES.plan(folder=tmp_path).sizes))
    assert gru(SEQUENCES.open().batch(seed=0, step=0, size=3)[0]).shape == (3, 5)


def test_a_patch_must_divide_the_image(tmp_path: Path) -> None:
    with pytest.raises(InterlawError, match="divides 8 pixels, found 3"):
        ImageTaskSpec(images="digits", patch=3).plan(folder=tmp_path)
