"""What is kept: files with digests, events, the code behind a result, finished work."""
