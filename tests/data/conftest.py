from small_scenes import entries, hand_model, lidded, objects, records

__all__ = ["entries", "hand_model", "lidded", "objects", "records"]
