"""Training of CALM models (Continuous Autoregressive Language Models, arXiv 2510.27688)."""
