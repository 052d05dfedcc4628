"""Tuned models in the formats of other software (PEFT, safetensors, GGUF), and whether they answer alike."""
