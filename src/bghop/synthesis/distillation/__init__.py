"""The rooms of score distillation; `bghop.synthesis.score_distillation` is the door."""
