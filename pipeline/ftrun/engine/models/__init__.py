"""Base models: the catalogue, downloading, converting and loading. Needs the extra `local`."""
