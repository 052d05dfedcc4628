"""What the tests of several folders use: servers, processes, projects and a browser."""
