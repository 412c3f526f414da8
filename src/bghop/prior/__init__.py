"""The learned prior: latents, noise, denoisers, sampling, text, checkpoints."""
