"""What the user wrote: the experiment file's sections, and every check without computing."""
