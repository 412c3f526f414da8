"""The words around an object's name in a prompt: English, small closed lists.

A known object name always wins over these lists, so "open book" or "measuring cup" stay whole.
"""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


DETERMINERS = _words(
    "a an the this that these those my your his her its their our some any each every another "
    "other one two three four five several many both all"
)
"""A noun phrase starts after one of these."""

BREAKS = _words(
    "with by on in into onto at to from for of off over under above below near beside between "
    "behind through about only against inside outside up down out around across along upon "
    "using via as like and or then how half without within wearing while when who which where "
    "so but not there here is are was were be being been has have having had do does did will "
    "would should could may might must please very quite it them him me us you i he she they we "
    "something anything everything nothing"
)
"""Words that end a noun phrase and are never part of one."""

OF_WORDS = _words(
    "cap cover page pages spout neck base blade manipulation pair set piece bunch kind type "
    "sort handful image images photo photos picture pictures drawing render rendering video "
    "view sketch lid handle edge rim side top bottom end part half couple lot number group "
    "example instance copy front back slice stack pile model body corner"
)
"""Before "of" these, and their plurals, only lead to the object: "a pair of scissors"."""

PICTURES = _words(
    "images photos pictures image photo picture drawing render rendering video view sketch "
    "scene clip frame"
)
"""Words of captions, not of objects, unless nothing else is named."""

AGENTS = _words(
    "object objects thing things item items hand hands finger fingers thumb palm palms fist arm "
    "arms wrist person persons people man men woman women human humans someone somebody anyone "
    "user boy girl child children kid kids adult actor subject player worker chef robot he she "
    "they left right"
)
"""Who holds, with what, and words for any object; the object only if nothing else is named."""

MANNERS = _words(
    "together bimanual bimanually twohanded onehanded handed again back away now still"
)
"""Words of manner that do not end in -ly."""

ATTRIBUTES = _words(
    "big large huge giant small little tiny mini medium extra long short tall wide narrow thick "
    "thin heavy light flat deep shallow round square rectangular cylindrical spherical oval "
    "curved old new used antique vintage modern classic fancy simple plain nice beautiful "
    "pretty ugly cute clean dirty empty full open closed broken whole shiny dull matte glossy "
    "smooth rough soft hard warm hot cold wet dry fresh red orange yellow green blue purple "
    "violet pink brown black white gray grey golden silver beige cyan magenta turquoise dark "
    "bright pale colored coloured colorful colourful striped spotted transparent opaque "
    "different same single double typical random standard common novel unknown unseen everyday "
    "household handheld size sized wood wooden metal metallic plastic rubber leather steel "
    "aluminum aluminium bamboo brass copper"
)
"""Adjectives that may be dropped before or after an unknown name; known names need no list."""

_VERBS = _words(
    "grasp grip hold grab take lift carry pick raise lower put place set move push pull turn "
    "rotate twist flip tilt shake swing throw catch toss pass give hand receive bring use "
    "operate manipulate handle touch press squeeze pinch clutch clasp hug open close shut fold "
    "unfold assemble inspect examine look show present offer drink eat pour fill empty wash "
    "clean wipe cut chop slice stir mix cook serve read write draw play wear keep reach lean "
    "stand sit try want need make get see contain depict interact wield steer support balance "
    "steady stack unpack drag slide screw unscrew tie untie wave drop remove attach insert type "
    "hit strike mount demonstrate perform sweep beat drive blow fly ride peel hang tighten "
    "loosen fasten uncap spray staple feed water sew knit dig paddle hurl sip taste scrub "
    "polish dust"
)
_IRREGULAR = _words(
    "held took taken threw thrown caught gave given brought shook shaken swung cut put got made "
    "drank drunk ate eaten wore worn kept stood sat wrote written drew drawn saw seen"
)


def _forms(verb: str) -> set[str]:
    stem = verb[:-1] if verb.endswith("e") else verb
    doubled = verb + verb[-1]
    third = verb + ("es" if verb.endswith(("s", "sh", "ch", "x")) else "s")
    forms = {verb, third, stem + "ing", stem + "ed", doubled + "ing", doubled + "ed"}
    return forms | (
        {stem[:-1] + "ying", verb[:-1] + "ied", verb[:-1] + "ies"} if "y" in verb else set()
    )


VERBS = frozenset().union(*(_forms(verb) for verb in _VERBS)) | _IRREGULAR
"""What one does with an object, in all forms."""
