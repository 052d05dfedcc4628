"""What is asked, and who is asked: samples and candidates; nothing here asks."""
