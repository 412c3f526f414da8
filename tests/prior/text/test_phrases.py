"""A prompt is read as the name of the one object that it is about."""

import pytest

from bghop.objects.catalog import FAMILIES
from bghop.prior.text.nouns import load_noun_table
from bghop.prior.text.phrases import Names, find_phrase, singulars

NAMES = load_noun_table().names


def read(prompt: str) -> str | None:
    """The name found; with a question mark if it is not a known one."""
    phrase = find_phrase(prompt, NAMES)
    return None if phrase is None else phrase.text if phrase.known else f"{phrase.text}?"


@pytest.mark.parametrize(
    "prompt",
    [
        "mug", "Mug", "mugs", "a mug", "the mug.", "25_mug", "025_mug", "MUG", "mug_white",
        "grasp mug with both hands", "grasp a mug with both hands", "hold mugs",
        "an image of a hand grasping a mug", "a person holding a large red mug",
        "someone carefully lifting an old mug off the table", "two hands hold one big, blue mug",
        "a mug grasped with two hands", "a mug of tea", "the handle of the mug", "mug (red)",
        "two-handed grasp of a mug", "please show me how to hold a mug", "both hands on the mug",
        "left hand holds the mug, right hand holds the spoon", "mug drink 1", "mug 0.34",
        "drink from a mug", "a mug being held", "a man in a red shirt holding a mug",
    ],
)  # fmt: skip
def test_prompts_about_a_mug(prompt):
    assert read(prompt) == "mug"


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        # The longest known name at the end of the noun phrase, where the head noun is.
        ("coffee mug", "coffee mug"),
        ("my new ceramic coffee mugs", "coffee mug"),
        ("golf cart steering wheel", "steering wheel"),
        ("pot with two handles", "pot with two handles"),
        ("a shiny pot with two handles", "pot with two handles"),
        ("can for watering plants", "can for watering plants"),
        ("hold a watering can with two hands", "watering can"),
        ("a pair of scissors", "pair of scissors"),
        # Names that are words of action elsewhere.
        ("cutting board", "cutting board"),
        ("holding a measuring cup", "measuring cup"),
        ("use a rolling pin", "rolling pin"),
        ("open book", "open book"),
        ("open the book", "book"),
        ("iron a shirt", "shirt"),
        ("an iron", "iron"),
        ("hand saw", "hand saw"),
        # Spelling.
        ("waterbottle", "water bottle"),
        ("water-bottles", "water bottle"),
        ("tooth brush", "toothbrush"),
        ("WaterBottle", "water bottle"),
        ("rubik's cube", "rubiks cube"),
        ("knives", "knife"),
        ("dishes", "dish"),
        ("glasses", "glasses"),
        ("wine glasses", "wine glass"),
        # Names of data sets.
        ("003_cracker_box", "cracker box"),
        ("072-a_toy_airplane", "toy airplane"),
        ("cylinderlarge", "cylinder"),
        ("espressomachine", "espresso machine"),
        ("fryingpan cook 2", "frying pan"),
        ("bottle_mustard", "mustard bottle"),
        # Several things: what is acted on, else the first.
        ("drive a nail with a hammer", "nail"),
        ("a kettle for boiling water", "kettle"),
        ("box of cereal", "box"),
        ("large storage box with hinged lid", "storage box"),
        ("cup/mug", "cup"),
        ("typing on a keyboard", "keyboard"),
        # People are the object only if nothing else is named.
        ("robot", "robot"),
        ("a robot picks up the power drill", "power drill"),
        ("grasp an object", "object"),
        # Not in the table: the words themselves, bare, in the singular.
        ("grasp a blue astrolabe with both hands", "astrolabe?"),
        ("two old astrolabes", "astrolabe?"),
        ("grasp zorbulator on a table", "zorbulator?"),
        ("マグカップ", "マグカップ?"),
    ],
)
def test_reading(prompt, name):
    assert read(prompt) == name


@pytest.mark.parametrize("prompt", ["", " ", "with both hands", "grasp", "hold it", "12", "?!"])
def test_nothing_is_named(prompt):
    assert read(prompt) is None


@pytest.mark.parametrize("name", FAMILIES)
def test_every_text_of_every_family_is_read_as_itself(name):
    for text in (name.replace("_", " "), *FAMILIES[name].texts):
        assert read(text) == text
        assert read(f"grasp a {text} with both hands") == text
        assert read(f"a person holding the big {text}") in (text, f"big {text}")
        assert read(text.replace(" ", "_")) == text


@pytest.mark.parametrize(
    ("word", "singular"),
    [("mugs", "mug"), ("boxes", "box"), ("cherries", "cherry"), ("knives", "knife"),
     ("glass", None), ("cactus", None), ("tennis", None), ("bus", None), ("plates", "plate")],
)  # fmt: skip
def test_singular(word, singular):
    assert next(iter(singulars(word)), None) == singular


def test_names_are_found_whatever_their_spaces():
    names = Names(["tooth brush", "scissors"])
    assert names.find(("toothbrush",)) == names.find(("tooth", "brushes")) == "tooth brush"
    assert names.find(("scissors",)) == "scissors"
    assert names.find(("brush",)) is None
    assert names.find(()) is None
