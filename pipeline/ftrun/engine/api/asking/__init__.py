"""The endpoints that ask a model: chat, completions, responses, embeddings; and what they have in common."""
