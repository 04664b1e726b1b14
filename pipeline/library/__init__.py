"""What Python programs call: images of any kind in, results that a notebook can show."""
