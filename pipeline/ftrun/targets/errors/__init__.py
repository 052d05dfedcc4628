"""What went wrong at a server: the SDK's errors, refusals and failed jobs, read and explained."""
