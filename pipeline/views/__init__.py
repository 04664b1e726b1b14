"""What people look at: made from the manifest and palettes, never by fitting."""
