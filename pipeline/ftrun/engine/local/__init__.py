"""Training and answering with open-weight models on this machine; needs the extra `local`."""
