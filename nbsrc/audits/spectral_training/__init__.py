"""Networks trained with adversarial and spectral regularisation: what paper B says of them."""
