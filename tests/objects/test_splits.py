"""Whole families stay out of training: a partition, with relatives near by and no shared words."""

from bghop.objects.catalog import FAMILIES
from bghop.objects.sets import SHAPE_SLOTS
from bghop.objects.splits import HELD_OUT_RELATIVES, held_out_families, training_families


def test_every_family_is_either_for_training_or_held_out():
    training, held_out = training_families(), held_out_families()
    assert not set(training) & set(held_out)
    assert {**training, **held_out} == dict(FAMILIES)
    assert [name for name in FAMILIES if name in training] == list(training)


def test_held_out_are_eight_to_ten_of_them_some_with_a_joint():
    held_out = held_out_families().values()
    assert 8 <= len(held_out) <= 10
    assert sum(kind.articulated for kind in held_out) >= 2


def test_every_held_out_family_has_relatives_in_training():
    for relatives in HELD_OUT_RELATIVES.values():
        assert relatives
        assert set(relatives) <= set(training_families())


def test_training_never_reads_a_word_for_a_held_out_family():
    words = {text for kind in training_families().values() for text in kind.texts}
    new = {text for kind in held_out_families().values() for text in kind.texts}
    assert not words & new
    assert not {name.replace("_", " ") for name in HELD_OUT_RELATIVES} & words


def test_the_published_shapes_are_of_training_families():
    assert {name for name, _ in SHAPE_SLOTS} <= set(training_families())
