"""What is kept: files with digests, events, failures, the code behind a result, finished work."""
