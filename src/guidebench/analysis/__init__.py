"""What happens along the forward process."""
